"""How each command that a document shows is run, and what must come of it: the table of `test_documents.py`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from sandbox.operator import environments, yaml_language_host
from sandbox.paths import CLONE
from tests.e2e import documents
from tests.e2e.desk import Desk
from tests.sandbox.conftest import until

OPERATOR, BESIDE = "operator", "beside"  # where: in the operator's namespace, or on the machine beside the sandbox
PACKAGES = CLONE / ".sandbox" / "packages"
PACKAGE = "opscode-push-jobs-server"
SECRETS = "/etc/opscode/private-chef-secrets.json"
STATUS = "/var/opt/opscode/keepalived/current_cluster_status"
STAND_INS = ("backend-0", "backend-1", "frontend-0")
AGREE = ("Type yes to apply", "yes")


def nothing(_desk: Desk) -> None:
    """Most commands need no more than to be typed."""


@dataclass(frozen=True)
class Row:
    """`prints` is what the document says that it tells; `changes` is what differs after it.

    `on` is where it is run: one of the two places, or a host. `before` is what its reader has done until then, beyond
    the commands of the document; `after` looks at what came of it. `answers` are a question and what is typed then.
    """

    prints: tuple[str, ...] = ()
    status: int = 0
    on: str = OPERATOR
    before: Callable[[Desk], None] = nothing
    after: Callable[[Desk], None] = nothing
    changes: Callable[[Desk], object] | None = None
    answers: tuple[str, str] | None = None


def output(desk: Desk, host: str, script: str) -> str:
    status, told = desk.on(host, script)
    assert status == 0, f"{script} on {host}:\n{told}"
    return told.strip()


# On the highly available cluster


def servers(desk: Desk) -> dict[str, str]:
    """The ids of the machines that run, by name."""
    _, told = desk.beside(".venv/bin/python -m sandbox status")
    cells = [line.split() for line in told.splitlines()]
    return {name: instance for name, instance, *_ in cells if instance.startswith("i-")}


def upgraded(desk: Desk) -> None:
    versions = {output(desk, name, f"dpkg-query -W -f '${{Version}}' {PACKAGE}") for name in STAND_INS}
    assert versions == {"2.2.8-1"}


def credentials(desk: Desk) -> str:
    """As JSON, which is the same on every server."""
    dumped = (output(desk, name, f"/opt/opscode/embedded/bin/veil-dump-secrets {SECRETS}") for name in STAND_INS)
    (found,) = {json.dumps(json.loads(text)["push-jobs-server"], sort_keys=True) for text in dumped}
    return found


def has_a_backup(desk: Desk) -> None:
    told = output(desk, "backend-0", "stat -c %a /root/credentials.tgz; tar -tzf /root/credentials.tgz")
    assert told.startswith("600\n") and "etc/opscode/private-chef-secrets.json" in told


def drifted(desk: Desk) -> None:
    ingest = "/opt/opscode/embedded/bin/veil-ingest-secret push-jobs-server.sql_password"
    output(desk, "frontend-0", f"echo another | {ingest}")


def has_a_second_frontend(desk: Desk) -> None:
    assert output(desk, "frontend-1", f"dpkg-query -W {PACKAGE}")


def has_one_frontend(desk: Desk) -> None:
    until(lambda: {name for name in servers(desk) if name.startswith("frontend")} == {"frontend-0"})


def backend_1_is_master(desk: Desk) -> None:
    until(lambda: output(desk, "backend-1", f"cat {STATUS}") == "master", seconds=60)


def backend_0_is_standby(desk: Desk) -> None:
    """It takes part again, and knows it."""
    until(lambda: output(desk, "backend-0", f"cat {STATUS}") == "backup", seconds=60)
    until(lambda: desk.on("backend-0", "chef-server-ctl ha-status")[0] == 0, seconds=60)


def backend_1_is_well(desk: Desk) -> None:
    """A service that needs the database may start before it, and is started again."""
    until(lambda: desk.on("backend-1", "chef-server-ctl ha-status")[0] == 0, seconds=60)


def committed(desk: Desk) -> None:
    """What was changed until now."""
    desk.does("git commit --quiet --all --message 'Earlier changes'")


def interval(desk: Desk) -> str:
    return output(desk, "frontend-0", f"grep heartbeat_interval /etc/{PACKAGE}/{PACKAGE}.rb || echo unset")


def nothing_runs(desk: Desk) -> None:
    until(lambda: servers(desk) == {})


# On one server


def settings(desk: Desk) -> None:
    """The example, changed to what is the reader's own: here a server of the sandbox's cloud."""
    shutil.copy(CLONE / "stacks" / "Pulumi.sandbox-standalone.yaml", desk.folder / "stacks" / "Pulumi.production.yaml")


def packages(desk: Desk) -> None:
    for file in PACKAGES.glob("*.deb"):
        (desk.folder / file.name).symlink_to(file)


def is_a_policy_of_aws(desk: Desk) -> None:
    assert json.loads((desk.folder / "policy.json").read_text())["Version"] == "2012-10-17"


def is_a_boundary_of_aws(desk: Desk) -> None:
    assert json.loads((desk.folder / "boundary.json").read_text())["Version"] == "2012-10-17"


def existing(desk: Desk) -> None:
    """The example, changed to the server that the stack at the other desk made."""
    file = desk.folder / "stacks" / "Pulumi.production.yaml"
    found = yaml.safe_load((CLONE / "stacks" / "Pulumi.sandbox-standalone.yaml").read_text())["config"]
    told = json.loads(Desk(desk.sandbox, Path(desk.variables["MAKER"]), {}).does("pulumi stack output servers --json"))
    server = {"name": "backend-0", **{key: told["backend-0"][key] for key in ("fqdn", "role", "address", "hostKey")}}
    content = yaml.safe_load(file.read_text())
    changed = {
        "topology": "standalone",
        "servers": [server],
        **{name: found[f"chef-push-jobs:{name}"] for name in ("clientCidrs", "operatorCidrs", "pushJobs")},
    }
    content["config"] |= {f"chef-push-jobs:{name}": value for name, value in changed.items()}
    file.write_text(yaml.safe_dump(content))


def started(desk: Desk) -> str:
    """What an adoption leaves as it is: the credentials, and the service that runs."""
    return output(desk, "backend-0", f"sha256sum < {SECRETS}; pgrep -f {PACKAGE}/bin | sort")


def uninstalled(desk: Desk) -> None:
    status, _ = desk.on("backend-0", f"dpkg-query -W {PACKAGE}")
    assert status != 0 and servers(desk), "push jobs is gone, and its server is not"


def policies(desk: Desk) -> None:
    (text,) = [
        fence.text for fence in documents.fences((CLONE / "docs" / "policy.md").read_text()) if fence.language == "json"
    ]
    (desk.folder / "policies.json").write_text(text)


def protected(desk: Desk) -> None:
    """Before it is taken off: destroy is refused by its own preview."""
    desk.does("pulumi config set chef-push-jobs:protect true; pulumi up")
    status, told = desk.tried("pulumi destroy")
    assert status != 0 and "protect" in told and servers(desk)


def has(name: str) -> Callable[[Desk], None]:
    def look(desk: Desk) -> None:
        assert (desk.folder / name).stat().st_size > 0, f"{name} is empty"

    return look


def without_the_package(desk: Desk) -> None:
    file = desk.folder / "Pulumi.yaml"
    content = yaml.safe_load(file.read_text())
    del content["packages"]
    file.write_text(yaml.safe_dump(content))
    yaml_language_host.install()
    environments.make(CLONE / "provider")


def names_the_package(desk: Desk) -> None:
    assert "chef-push-jobs" in yaml.safe_load((desk.folder / "Pulumi.yaml").read_text())["packages"]


WELL = ("0 failures",)
UP = 'pulumi up --stack "$STACK"'
COPY = "cp stacks/Pulumi.example-aws.yaml stacks/Pulumi.production.yaml"
CLI = "the AWS CLI is no part of the sandbox, and asks an account"
SELF = "this is what runs these tests"
COMMAND = "it would make the command of these tests that of a desk; scripts/setup.sh runs it for them"
