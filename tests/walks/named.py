"""Walks with names, by topology: a short one of each for every run of CI, and those that have found something."""

from __future__ import annotations

from collections.abc import Mapping

from tests.walks.model import Choice

Named = Mapping[str, tuple[str, str]]

SHORT: Named = {
    "an upgrade whose engine is killed, and a frontend more": ("tier", "upgrade:2.2.8!engine@0.50 frontends:more"),
    "a failover, and a settings file that was edited": ("ha", "failover:stop drift:settings@frontend-0"),
    "another heartbeat on servers that are left at the end": ("existing", "settings:1000"),
}
# What they found, and what mended it, is in the history of this file.
FOUND: Named = {
    "a new primary of a tier has other secrets, with which its frontends go on": ("tier", "replace:backend-0"),
    "push jobs 2.x where the primary is a standby": ("existing", "failover:power upgrade:2.2.8"),
}


def steps(text: str) -> tuple[Choice, ...]:
    return tuple(map(Choice.parse, text.split()))
