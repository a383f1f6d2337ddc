"""A CrossGuard policy pack for Chef server with push jobs on AWS; see docs/policy.md."""
