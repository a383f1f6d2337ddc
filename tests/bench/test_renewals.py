"""What the ideal starts from, where a stack is made again: the state's machines, with empty disks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.renewals import FIRST_FILES, Machines, empty_disk
from bench.work import Place


def resource(kind: str, id: str = "", **outputs: Any) -> dict[str, Any]:
    return {"type": kind, "id": id, "outputs": outputs}


def test_the_machines_are_read_from_the_state() -> None:
    servers = {"backend-0": {"address": "10.0.1.10", "hostKey": "ssh-ed25519 AAAA", "role": "backend"}}
    resources = [
        resource("pulumi:pulumi:Stack", servers=servers),
        resource("aws:ec2/instance:Instance", "i-1"),
        resource("aws:ebs/volume:Volume", "vol-1"),
        resource("command:remote:Command", "c-1"),
    ]
    place = Place("backend-0", "10.0.1.10", "ssh-ed25519 AAAA", "vol-1")
    assert Machines.of(resources) == Machines(["i-1"], [place], "vol-1")


def test_an_emptied_disk_has_what_is_there_before_the_first_boot_and_nothing_else(tmp_path: Path) -> None:
    root, work = tmp_path / "root", tmp_path / "root.work"
    first = {*FIRST_FILES} - {"etc/ssh"} | {"etc/ssh/ssh_host_ed25519_key"}
    for name in (*first, "etc/opscode/chef-server.rb", "var/lib/cloud/instance/sem/user-data"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (work / "work").mkdir(parents=True)
    empty_disk(tmp_path)
    assert {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} == first
    assert not list(work.iterdir())
