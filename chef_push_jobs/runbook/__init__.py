"""The runbooks as data: which step runs where, after what, and what makes it run again.

push_jobs.py       the eight steps of docs/runbook.md: start here to add or change one
chef_server.py     Chef server's own runbook, which comes first
servers.py         what belongs to the servers themselves: they are prepared first, and left last
steps.py           what a step and an edge are
plan.py            the plan of a stack: every task, made once from its settings; all else reads it
stack.py           a stack's configuration to its plan, with every check
script_context.py  what scripts are rendered from: settings, and what a running server said of itself
"""
