"""Firewalls that follow the groups while hosts come and go."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.aws.host_firewalls import HostFirewalls
from sandbox.processes import SandboxError


def instance(instance_id: str) -> Any:
    return SimpleNamespace(id=instance_id, state="running", security_groups=[], private_ip="10.0.0.4")


class Going:
    """Hosts of which one disappears in the middle of its new firewall."""

    def __init__(self, filtering_of: list[HostFirewalls], *, known: bool) -> None:
        self._filtering, self._known = filtering_of, known

    def set_firewall(self, host_id: str, ruleset: str) -> None:
        if self._known:
            self._filtering[0].ending(host_id)
        raise SandboxError(f"there is no host {host_id}")


@pytest.mark.parametrize("known", [True, False])
def test_a_host_that_goes_meanwhile_is_no_failure_of_the_cloud_and_one_that_stays_is(known: bool) -> None:
    made: list[HostFirewalls] = []
    made.append(HostFirewalls(Going(made, known=known)))
    made[0].add(instance("i-1"))
    made[0].booted("i-1", "what held before")
    if known:
        made[0].refresh()
    else:
        with pytest.raises(SandboxError, match="there is no host i-1"):
            made[0].refresh()
