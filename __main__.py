"""A highly available Chef server with push jobs: the settings, all that they say, and what it tells."""

# ruff: noqa: E402 - an interrupt is handled before the imports, which take time

from components.program_end import end_when_interrupted, errors_shown

end_when_interrupted()

from pathlib import Path

import pulumi

from components.cluster import make_cluster
from components.error_advice import advise_on_errors
from components.host_keys import refuse_changed_keys
from components.stack_configuration import read_stack

with errors_shown():
    stack = read_stack(Path(__file__).parent)
    advise_on_errors()
    refuse_changed_keys()
    for name, value in make_cluster(stack).items():
        pulumi.export(name, value)
