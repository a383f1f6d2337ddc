"""The two runbooks as tables, and the plan of tasks that they make."""
