"""A highly available Chef server with push jobs: the settings, what they make, and what that tells."""

from pathlib import Path

import pulumi

from components.assembly import assemble
from components.configuration import read_settings

settings = read_settings(Path(__file__).parent)

for name, value in assemble(settings).items():
    pulumi.export(name, value)
