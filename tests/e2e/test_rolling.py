"""Another package and other credentials on a running ha cluster: what clients notice, and what is left of the old.

The tests follow one another on one cluster: credentials rotated in the first generation (1.1.6), the upgrade to the
second one (2.2.8), which moves them, the way back, which is refused, a rotation there, back to what it replaced, and
settings that are taken out again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.paths import CLONE
from tests.e2e.clients import probed
from tests.e2e.conftest import Stack, stack
from tests.e2e.observed import TEST, calls, change, note, seen, tasks

FOLDER = "/etc/opscode-push-jobs-server"
SECRETS = "/etc/opscode/private-chef-secrets.json"
DUMP = f"/opt/opscode/embedded/bin/veil-dump-secrets {SECRETS}"
OF_MANAGE = "what Chef manage has made on its frontend"
HEARTBEAT = 10000
REQUESTS = "/etc/chef-standin.json"
SERVERS = ("backend-0", "backend-1", "frontend-0", "frontend-1")
EVERYWHERE = "/boot /etc /home /opt /root /run /srv /tmp /usr/local /var"
# A restart measured in quiet, and a second for what else the machine does during an upgrade.
MARGIN = 1.0

ROTATION = """
    backend-0: push-jobs rotate share chef-reconfigure restart-pushy test test-again
    backend-1: push-jobs copy reconfigure chef-reconfigure restart-pushy test
    frontend-0: push-jobs copy reconfigure
    frontend-1: push-jobs copy reconfigure
"""
UPGRADE = """
    backend-0: push-jobs install configure reconfigure-primary share chef-reconfigure restart-pushy test test-again
    backend-1: push-jobs install copy reconfigure chef-reconfigure restart-pushy test
    frontend-0: push-jobs install copy reconfigure
    frontend-1: push-jobs install copy reconfigure
"""


def package(version: str) -> dict[str, str]:
    return {"file": f".sandbox/packages/opscode-push-jobs-server_{version}-1_amd64.deb"}


@pytest.fixture(scope="module")
def cluster(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack("sandbox", tmp_path_factory.mktemp("rolling")) as made:
        made.change(pushJobs={"package": package("1.1.6"), "rotateCredentials": "at the first up"})
        made.up()
        made.output("frontend-0", f"echo {OF_MANAGE} | /opt/opscode/embedded/bin/veil-ingest-secret manage.key")
        yield made


def credentials(cluster: Stack, server: str) -> dict[str, str]:
    """By name, of either generation."""
    groups = json.loads(cluster.output(server, DUMP))
    if shared := groups.get("push-jobs-server"):
        return {name: str(value) for name, value in shared.items()}
    passwords: dict[str, Any] = json.loads(
        cluster.output(server, f"cat {FOLDER}/opscode-push-jobs-server-secrets.json")
    )
    keys = {"pushy_priv_key": "pushy_priv.pem", "pushy_pub_key": "pushy_pub.pem"}
    return {
        **passwords["postgresql"],
        **{name: cluster.output(server, f"cat {FOLDER}/{f}") for name, f in keys.items()},
    }


def needles(found: dict[str, str]) -> list[str]:
    """A line of each credential that is in no other."""
    return [value.splitlines()[1 if "-----" in value else 0] for value in found.values()]


def assert_same_everywhere(cluster: Stack) -> dict[str, str]:
    found = {server: {k: v.strip() for k, v in credentials(cluster, server).items()} for server in SERVERS}
    assert all(each == found["backend-0"] for each in found.values()), "the servers hold different credentials"
    assert len(found["backend-0"]) == 4
    assert json.loads(cluster.output("frontend-0", DUMP))["manage"] == {"key": OF_MANAGE}, (
        "another add-on's, there alone"
    )
    return found["backend-0"]


def assert_gone(cluster: Stack, old: dict[str, str]) -> None:
    """No file on any server has a line of an old credential, nor has the encrypted store.

    But for the sets that are kept to go back, and for the public key in the suite's log: an example that fails shows
    what clients are told.
    """
    for server in SERVERS:
        for name, needle in zip(old, needles(old), strict=True):
            hits = cluster.output(server, f"grep -rlsF -e '{needle}' {EVERYWHERE} || [ $? = 1 ] || [ $? = 2 ]")
            hits = "\n".join(file for file in hits.split() if "/credentials-before/" not in file)
            left = [file for file in hits.split() if "pub" not in name or "/push-jobs-test.log" not in file]
            assert not left, f"an old credential is left on {server}"
            assert needle not in cluster.output(server, DUMP), f"an old credential is left in the store of {server}"


def rotate(cluster: Stack, nonce: str, *, stays: str = "") -> None:
    """The rotation is ended between removing the old credentials and making new ones; the next `up` finishes it.

    Those with `stays` in their names are kept.
    """
    old = assert_same_everywhere(cluster)
    assert needles(old)[0] in cluster.output("backend-0", f"{DUMP}; cat {FOLDER}/*"), "there is something to look for"
    cluster.change(pushJobs={**cluster.setting("pushJobs"), "rotateCredentials": nonce})
    fails = {"fail": {"opscode-push-jobs-server-ctl reconfigure": {"exit": 3, "message": "ended here"}}}
    cluster.output("backend-0", f"echo '{json.dumps(fails)}' > {REQUESTS}")
    broken = cluster.up(check=False)
    assert "push-jobs-rotate failed on backend-0.chef.test" in broken.stdout
    cluster.output("backend-0", f"rm {REQUESTS}")
    for server in SERVERS[1:]:
        assert needles(old)[0] in cluster.output(server, f"{DUMP}; cat {FOLDER}/*"), "nobody else was touched"
    found = change(cluster)
    assert found.planned == tasks(ROTATION)
    assert found.starts == {"backend-0": 1}
    assert (
        found.ctl["backend-0"][-3:]
        == calls("backend-0: push reconfigure, chef reconfigure, chef restart opscode-pushy-server")["backend-0"]
    )
    assert found.ctl["frontend-0"] == calls("frontend-0: push reconfigure")["frontend-0"]
    new = assert_same_everywhere(cluster)
    kept = {name for name in old if stays and stays in name}
    assert {name for name in new if new[name] in old.values()} == kept, "each other credential is a new one"
    assert_gone(cluster, {name: value for name, value in old.items() if name not in kept})
    assert cluster.outputs()["test"].endswith("0 failures")
    again = change(cluster)
    assert (again.planned, again.updated) == (set(), set())


def test_the_first_up_with_a_rotation_set_makes_credentials_once(cluster: Stack) -> None:
    host = seen(cluster)["backend-0"]
    assert host.ctl.count("opscode-push-jobs-server-ctl reconfigure") == 1
    assert "noted" in cluster.output("backend-0", "cat /var/log/chef-rollout/push-jobs-rotate.log")
    assert_same_everywhere(cluster)


def test_a_rotated_key_pair_of_the_first_generation_is_new_everywhere_and_the_old_one_gone(cluster: Stack) -> None:
    """The database's passwords stay: this generation makes its users once, and never changes them."""
    rotate(cluster, "second", stays="sql")


def test_an_upgrade_is_one_gap_no_longer_than_one_restart(cluster: Stack) -> None:
    before = assert_same_everywhere(cluster)
    place = f"{cluster.outputs()['servers']['backend-0']['address']}:{HEARTBEAT}"
    with probed(cluster.lab, place) as restart:
        cluster.output("backend-0", "chef-server-ctl restart opscode-pushy-server")
    assert len(restart.lengths) == 1, "a restart is seen by the probe"
    with probed(cluster.lab, place) as upgrade:
        found = change(cluster, pushJobs={**cluster.setting("pushJobs"), "package": package("2.2.8")})
    print(f"measured: restart {restart.lengths}, upgrade {upgrade.lengths} of {upgrade.probes} probes")
    assert upgrade.probes > 50
    assert len(upgrade.lengths) == 1, f"clients were cut off more than once: {upgrade.lengths}"
    assert upgrade.lengths[0] <= restart.lengths[0] + MARGIN
    assert found.planned == tasks(UPGRADE)
    assert found.starts == {"backend-0": 1}
    assert found.ctl == calls("""
        backend-0: push reconfigure, chef reconfigure, push test
        backend-1: push reconfigure, chef reconfigure
        frontend-0: push reconfigure
        frontend-1: push reconfigure
    """)
    assert assert_same_everywhere(cluster) == before, "the credentials have moved, and are the same ones"
    for server in SERVERS:
        assert "2.2.8" in cluster.output(server, "dpkg-query -W opscode-push-jobs-server")
        left = cluster.output(server, f"ls {FOLDER}")
        assert "pem" not in left and "secrets" not in left, f"the old files are left on {server}: {left}"


def test_a_downgrade_is_refused_before_anything_is_touched(cluster: Stack) -> None:
    before = {server: cluster.output(server, "stat -c %Y.%i /var/lib/dpkg/status") for server in SERVERS}
    good = cluster.setting("pushJobs")
    cluster.change(pushJobs={**good, "package": package("1.1.6")})
    note(cluster)
    refused = cluster.up(check=False)
    assert refused.returncode != 0
    assert "opscode-push-jobs-server 2.2.8-1 is installed here, but the stack requests 1.1.6-1" in refused.stdout
    assert "a downgrade is not supported" in refused.stdout
    assert "set the package in the stack's settings to 2.2.8-1 or newer" in refused.stdout
    hosts = seen(cluster)
    assert all(host.ctl == [] and host.starts == 0 for host in hosts.values())
    assert {server: cluster.output(server, "stat -c %Y.%i /var/lib/dpkg/status") for server in SERVERS} == before
    back = change(cluster, pushJobs=good)
    assert (back.planned, back.ctl, back.starts) == (set(), {}, {}), "with the right version there is nothing to mend"


def test_rotated_credentials_of_the_second_generation_are_new_everywhere_and_the_old_ones_gone(cluster: Stack) -> None:
    rotate(cluster, "third")


def test_one_goes_back_to_what_a_rotation_replaced_by_the_commands_of_the_document(cluster: Stack) -> None:
    rotated = assert_same_everywhere(cluster)
    document = (CLONE / "docs" / "operations.md").read_text()
    (block,) = [block for block in re.findall(r"```text\n(.*?)```", document, re.DOTALL) if "THE-SET" in block]
    kept = cluster.output("backend-0", "ls -d /var/lib/chef-rollout/credentials-before/* | tail -n 1")
    commands = [line for line in block.splitlines() if "up to 2.1" not in line]
    cluster.output("backend-0", "\n".join(["set -e", *commands]).replace(f"{Path(kept).parent}/THE-SET", kept))
    cluster.change(repair={f"push-jobs-copy-{server}": "back" for server in SERVERS[1:]})
    cluster.up()
    now = assert_same_everywhere(cluster)
    assert not set(now.values()) & set(rotated.values())
    files = cluster.output("backend-0", f"cat {kept}/push-jobs-server.*")
    assert all(needle in files for needle in needles(now))
    assert cluster.outputs()["test"].endswith("0 failures")


def test_a_repair_that_is_taken_out_runs_nothing_and_another_text_runs_it(cluster: Stack) -> None:
    """One that was never there ran nothing either."""
    task, others = "push-jobs-copy-frontend-0", {f"push-jobs-copy-{server}": "back" for server in SERVERS[1:]}
    again = {task, "push-jobs-reconfigure-frontend-0", *tasks(TEST)}
    for texts, planned in (
        ({}, set()),
        ({task: "back"}, set()),
        ({task: "again"}, again),
        ({}, set()),
        (others, again),
    ):
        found = change(cluster, repair=texts)
        assert (found.planned, found.updated, found.starts) == (planned, set(), {}), texts


def test_a_rotation_that_is_taken_out_leaves_the_credentials_as_they_are(cluster: Stack) -> None:
    before = assert_same_everywhere(cluster)
    left = {key: value for key, value in cluster.setting("pushJobs").items() if key != "rotateCredentials"}
    found = change(cluster, pushJobs=left)
    assert "push-jobs-rotate-backend-0" in found.planned
    assert assert_same_everywhere(cluster) == before
    assert found.starts == {"backend-0": 1}, "the steps that follow a rotation end with the runbook's restart"
