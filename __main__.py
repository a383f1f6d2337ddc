"""A highly available Chef server with push jobs: the settings, all that they say, and what it tells."""

from pathlib import Path

import pulumi

from components.cluster import make_cluster
from components.error_advice import advise_on_errors
from components.stack_configuration import read_stack

stack = read_stack(Path(__file__).parent)
advise_on_errors()

for name, value in make_cluster(stack).items():
    pulumi.export(name, value)
