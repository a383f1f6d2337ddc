"""What cluster.sh calls to move the data and the address: `ha_backend_storage` and `ha_backend_ip`.

By DRBD, or on AWS by its API. A host of the sandbox has no block devices: the data volume is a folder that all hosts
have, and the one that holds it has a link to it where a server would mount it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

from . import aws
from .chef_config import SHARED
from .files import StandinError, directory, pretty, read_json, write

BENEATH = f"{SHARED}.beneath"  # what a mount hides until it ends
VOLUMES = "/usr/lib/chef-sandbox/volumes"
PLUGIN = "/var/opt/opscode/plugins/chef-ha-{}.rb"
SETTINGS = "/var/opt/opscode/keepalived/etc/chef-ha.json"
SCRIPTS = "/var/opt/opscode/keepalived/bin"
SCRIPT = """#!/bin/sh
exec /opt/opscode/embedded/bin/{name} "$@"
"""


def enable(chef: dict[str, Any], *, master: bool) -> None:
    """The provider's part of `chef-server-ctl reconfigure`: its scripts, and on the master the data."""
    provider = chef["ha"]["provider"]
    if provider == "drbd":
        if not shutil.which("drbdadm"):
            raise StandinError("to use drbd you must install drbd first, please follow the install instructions")
    elif not os.path.exists(PLUGIN.format(provider)):
        raise StandinError(f"could not find plugins: chef-ha-{provider}")
    for path in (SCRIPTS, os.path.dirname(SETTINGS)):
        directory(path, 0o755)
    write(SETTINGS, pretty({key: chef[key] for key in ("ha", "backend_vips")}), 0o600)
    for name in ("ha_backend_storage", *(["ha_backend_ip"] if provider == "aws" else [])):
        write(f"{SCRIPTS}/{name}", SCRIPT.format(name=name), 0o755)
    if master:
        _storage(chef, "attach")
        if provider == "aws":
            _address(chef, "attach")


def storage(arguments: list[str]) -> int:
    return _run("ha_backend_storage", _storage, arguments)


def address(arguments: list[str]) -> int:
    return _run("ha_backend_ip", _address, arguments)


def _run(name: str, do: Any, arguments: list[str]) -> int:
    try:
        if arguments not in (["attach"], ["detach"], ["status"]):
            raise StandinError(f"usage: {name} attach|detach|status")
        do(read_json(SETTINGS), arguments[0])
    except StandinError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.status
    return 0


def _storage(chef: dict[str, Any], verb: str) -> None:
    ha = chef["ha"]
    if verb == "status":
        _check(ha)
        return
    if verb == "detach":
        _unmount()
    if ha["provider"] == "aws":
        machine = aws.Machine.here(ha)
        machine.take_volume() if verb == "attach" else machine.give_volume()
    else:
        subprocess.run(["drbdadm", "primary" if verb == "attach" else "secondary", "pc0"], check=True)
    if verb == "attach":
        _mount(ha.get("ebs_volume_id", "pc0"))


def _check(ha: dict[str, Any]) -> None:
    if not os.path.islink(SHARED):
        raise StandinError(f"{SHARED} is not mounted")
    if ha["provider"] == "aws" and not aws.Machine.here(ha).has_volume():
        raise StandinError(f"the volume {ha['ebs_volume_id']} is not attached to this machine")


def _mount(volume: str) -> None:
    place = f"{VOLUMES}/{volume}"
    if not os.path.isdir(place):
        directory(place, 0o755)
    if os.path.islink(SHARED) and os.readlink(SHARED) == place:
        return
    _unmount()
    directory(os.path.dirname(SHARED), 0o755)
    if os.path.isdir(SHARED):
        os.rename(SHARED, BENEATH)
    os.symlink(place, SHARED)


def _unmount() -> None:
    if os.path.islink(SHARED):
        os.unlink(SHARED)
        if os.path.isdir(BENEATH):
            os.rename(BENEATH, SHARED)


def _address(chef: dict[str, Any], verb: str) -> None:
    """The cloud's part of it: the host's own is keepalived's. Whoever wants it takes it, so nobody gives it up."""
    if verb == "attach":
        aws.Machine.here(chef["ha"]).take_address(chef["backend_vips"]["ipaddress"])
