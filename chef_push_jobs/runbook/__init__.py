"""The runbooks as data: which step runs where, after what, and what makes it run again.

push_jobs.py       the eight steps of docs/runbook.md: start here to add or change one
chef_server.py     Chef server's own runbook, which comes first
servers.py         steps of the servers themselves: preparation comes first, uninstallation last
steps.py           what a step and an edge are
plan.py            the plan of a stack: every task, made once from its settings; everything else reads it
stack.py           turns a stack's configuration into its plan, with every check
script_context.py  what scripts are rendered from: settings, and what a running server reports
"""
