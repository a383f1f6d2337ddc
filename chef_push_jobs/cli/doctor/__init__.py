"""`python -m chef_push_jobs.cli.doctor`: whether a stack's servers and firewall are as the stack says. It
changes nothing.
"""
