"""Pulumi from outside: its CLI, run in one place; what it previews, does and did, by one reader of its events."""
