"""Pulumi from outside: nothing here is part of a program; everything reads what the engine prints and writes.

pulumi_cli.py     runs the CLI, with time limits, and explains its complaints; nothing else runs it
up.py             runs `pulumi up` and follows its event log; Ctrl-C reaches the engine once
preview.py        `pulumi preview --json`: what will happen to each resource, and why
event_log.py      the engine's events, reduced to what is read; progress.py turns them into a rollout
history.py        the recorded rollouts; stack_history.py reads `pulumi stack history`
stack_state.py    a stack's settings, outputs and state
aws_advice.py     what to do when AWS refuses a request, by error code
"""
