"""The Pulumi program: reads the stack's settings, creates the cluster, and sets the outputs."""

# ruff: noqa: E402 - an interrupt is handled before the imports, which take time

from components.program_end import end_when_interrupted, errors_shown

end_when_interrupted()

from pathlib import Path

import pulumi

from components.before_dialling import look_before_dialling, warn_without_agent
from components.cluster import make_cluster
from components.error_advice import advise_on_errors
from components.stack_configuration import read_stack

with errors_shown():
    stack = read_stack(Path(__file__).parent)
    advise_on_errors()
    look_before_dialling(boots=not stack.settings.existing)
    warn_without_agent(stack.settings.config.ssh.private_key)
    for name, value in make_cluster(stack).items():
        pulumi.export(name, value)
