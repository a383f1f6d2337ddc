"""`python -m components.explain`: what can be set, for people and for editors, and what a stack has set. Derived."""
