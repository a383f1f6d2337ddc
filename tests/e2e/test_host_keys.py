"""Trust is given once: a changed setting meets nobody anew, another host key is accepted only by its fingerprint."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.e2e.conftest import Stack

AT_ONCE = 90  # seconds; the plugin by itself dials for five minutes


def test_another_host_key_is_refused_at_once_until_the_settings_hold_it(new_stack: Callable[[str], Stack]) -> None:
    lone = new_stack("sandbox-standalone")
    lone.up()
    pinned, ssh = fingerprint(lone), lone.setting("ssh")
    lone.change(ssh={**ssh, "perDialTimeout": "20"})
    lone.up()
    lone.output("backend-0", "rm /etc/ssh/ssh_host_ed25519_key*; ssh-keygen -A; kill -HUP $(pgrep -o -x sshd)")
    shown, before = fingerprint(lone), logins(lone)
    assert shown != pinned
    lone.change(ssh={**ssh, "perDialTimeout": "25"}, reverify="once more")
    begun = time.monotonic()
    done = lone.up(check=False)
    assert time.monotonic() - begun < AT_ONCE
    assert done.returncode != 0
    for part in ("connect-backend-0", shown, pinned, "hostKey"):
        assert part in done.stdout + done.stderr
    assert logins(lone) == before
    lone.change(ssh={**ssh, "hostKeys": {"backend-0": pinned}})
    assert lone.up(check=False).returncode != 0, "it is not the one that the settings hold"
    lone.change(ssh={**ssh, "hostKeys": {"backend-0": shown}})
    lone.up()
    assert lone.pulumi("preview", "--config-file", str(lone.settings), "--expect-no-changes").returncode == 0


def fingerprint(lone: Stack) -> str:
    return lone.output("backend-0", "ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub").split()[1]


def logins(lone: Stack) -> str:
    return lone.output("backend-0", "grep -c 'Accepted ' /var/log/sshd.log")
