"""Pulumi from outside: nothing here is part of a program, everything reads what the engine prints and writes.

pulumi_cli.py     the one place that runs the CLI, with time limits, and its complaints in plain words
up.py             `pulumi up`, followed by its event log; Ctrl-C reaches the engine once
preview.py        `pulumi preview --json`: what is to happen to each resource, and why
event_log.py      the engine's events, reduced to what is read; progress.py makes a rollout of them
history.py        the rollouts that were kept; stack_history.py, `pulumi stack history`
stack_state.py    a stack's settings, outputs and state
aws_advice.py     what to do when AWS refuses, by its error codes
"""
