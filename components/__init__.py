"""A highly available Chef server with push jobs, as Pulumi components; see docs/design.md."""
