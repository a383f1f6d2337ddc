"""`pulumi up` with a table of what runs where, and a record of it."""
