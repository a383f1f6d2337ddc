"""`python -m chef_push_jobs.cli.docs`: what can be set, for people and for editors, and what a stack has set.
Derived.
"""
