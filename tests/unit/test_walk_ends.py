"""How what a walk left is compared with a fresh rollout."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.walks import results
from tests.walks.comparing import DIGEST, Servers, differences, named, renamed
from tests.walks.walk import Result

ONE, TWO, THREE = ("a" * 64, "b" * 64, "c" * 64)
KEY = "etc/opscode-push-jobs-server/pushy_priv.pem"


def servers(*lines: list[str]) -> Servers:
    return {f"server-{number}": own for number, own in enumerate(lines)}


@pytest.mark.parametrize(
    ("walked", "fresh", "found"),
    [
        (servers([f"{ONE}  {KEY}"]), servers([f"{TWO}  {KEY}"]), 0),
        (servers([f"{ONE}  {KEY}"] * 1, [f"{ONE}  {KEY}"]), servers([f"{TWO}  {KEY}"], [f"{TWO}  {KEY}"]), 0),
        (servers([f"{ONE}  {KEY}"], [f"{THREE}  {KEY}"]), servers([f"{TWO}  {KEY}"], [f"{TWO}  {KEY}"]), 4),
        (servers([f"{ONE}  etc/x.rb"]), servers([f"{TWO}  etc/x.rb"]), 2),
        (servers(["listens *:22"]), servers([]), 1),
        (servers([], []), servers([]), 1),
        (servers(["d 700 root:root var/lib/chef-rollout/credentials-before"]), servers([]), 0),
    ],
    ids=[
        "new credentials",
        "new ones, the same on all",
        "two sets of them",
        "another settings file",
        "one more port",
        "one more server",
        "credentials that are kept to go back",
    ],
)
def test_what_is_made_anew_must_be_the_same_on_the_same_servers_and_all_else_be_the_same(
    walked: Servers, fresh: Servers, found: int
) -> None:
    assert len(differences(walked, fresh)) == found


def test_files_are_compared_with_addresses_as_names_and_a_frontend_without_the_others(tmp_path: Path) -> None:
    digests = []
    for address, other in (("10.0.0.4", "10.0.0.5"), ("10.0.0.7", "10.0.0.8")):
        (tmp_path / "chef-server.rb").write_text(f'backend_vip "{address}"\nserver "frontend-1.x", "{other}"\n')
        (tmp_path / "other").write_text("10.0.0.44\n")
        script = named({address: "backend-0"}, "frontend-0").digests(str(tmp_path))
        digests.append(subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout)
    assert digests[0] == digests[1]
    assert DIGEST.fullmatch(digests[0].strip()), "of the one file that has an address of a server"


def test_digests_by_name_take_the_place_of_the_snapshots_own() -> None:
    lines = [f"{ONE}  etc/opscode/chef-server.rb", f"{TWO}  etc/x", "listens *:22"]
    assert renamed(lines, [f"{THREE}  etc/opscode/chef-server.rb", "let in: x"]) == [
        f"{TWO}  etc/x",
        "listens *:22",
        f"{THREE}  etc/opscode/chef-server.rb",
        "let in: x",
    ]


def test_the_table_has_a_row_a_topology_and_counts_what_ended_well(tmp_path: Path) -> None:
    file = tmp_path / "walks.jsonl"
    bad = Result("tier", 2, ["rotate:new!engine@0.50"], ["lost"], [("rotate:new!engine@0.50", 9.0)])
    for result in (
        Result("tier", 1, ["settings:1000"], ["of an earlier run"]),
        Result("tier", 1, ["settings:1000", "reverify:again"], [], [("settings:1000", 0.75)]),
        bad,
        Result("ha", None, ["failover:stop"]),
    ):
        results.keep(result, file)
    *_, tier = results.table(results.kept(file)).splitlines()
    assert tier == "| `tier` | 2 | 3 | 1 | 1 of 2 | - | - | 0.8 | - | - |"
