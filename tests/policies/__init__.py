"""What the policies refuse, what they let pass, and what they cannot see: one table, a few resources a row.

tests/unit/test_policy_rows.py looks at it with the rules alone, tests/contract/test_policy_pack.py sends it through the
engine, and docs/policy.md shows it: `python -m tests.policies` writes it there.
"""
