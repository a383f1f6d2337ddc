"""python -m tests.recordings: records what the real engine says, for the tests that read it. Needs root; some minutes.

One ha cluster on a sandbox of its own. Previews of ten kinds of change, which are never made, go to
tests/unit/files/previews/; the event logs of rollouts that are made, to tests/unit/files/events/. Both are reduced to
what is read.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sandbox.paths import CLONE
from tests.e2e.conftest import PROJECT, Stack, stack

PREVIEWS = CLONE / "tests" / "unit" / "files" / "previews"
Changes = Callable[[Stack], Mapping[str, Any]]
INSTANCE = "**aws:ec2/instance:Instance::"
UPGRADE = ".sandbox/packages/opscode-push-jobs-server_2.2.8-1_amd64.deb"
# Of a resource's inputs, what a reader of a preview may look at. Tags tell a server's role.
INPUTS = {
    "command:remote:Command": ("create", "update", "delete", "stdin", "triggers", "connection"),
    "command:remote:CopyToRemote": ("remotePath", "triggers"),
    "aws:ec2/instance:Instance": ("instanceType", "tags"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        "cidrIpv4",
        "description",
        "fromPort",
        "ipProtocol",
        "referencedSecurityGroupId",
        "toPort",
    ),
}


def _push_jobs(cluster: Stack, **changes: Any) -> dict[str, Any]:
    return {"pushJobs": {**cluster.setting("pushJobs"), **changes}}


# Name of the recording: (settings that change, server whose machine is replaced).
CHANGES: dict[str, tuple[Changes, str | None]] = {
    "nothing-changed": (lambda cluster: {}, None),
    "frontend-added": (lambda cluster: {"frontends": "3"}, None),
    "frontend-removed": (lambda cluster: {"frontends": "1"}, None),
    "primary-replaced": (lambda cluster: {}, "backend-0"),
    "standby-replaced": (lambda cluster: {}, "backend-1"),
    "package-upgraded": (lambda cluster: _push_jobs(cluster, package={"file": UPGRADE}), None),
    "ports-changed": (lambda cluster: _push_jobs(cluster, heartbeatPort=11000, commandPort=11003), None),
    "settings-changed": (lambda cluster: _push_jobs(cluster, settings={"heartbeat_interval": 2000}), None),
    "client-cidr-added": (lambda cluster: {"clientCidrs": ["10.1.0.0/24", "10.2.0.0/24"]}, None),
    "credentials-rotated": (lambda cluster: _push_jobs(cluster, rotateCredentials="2026-11"), None),
}


def reduced(preview: Mapping[str, Any]) -> dict[str, Any]:
    """Without what does not change, what nobody reads, and what differs between machines."""
    errors = [told for told in preview.get("diagnostics") or [] if told["severity"] == "error"]
    config = {key: value for key, value in preview["config"].items() if key.startswith(f"{PROJECT}:")}
    steps = [_step(step) for step in preview["steps"] if step["op"] != "same"]
    return {"config": config, "steps": steps, "diagnostics": errors, "changeSummary": preview["changeSummary"]}


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    kind = step["urn"].split("::")[-2].rsplit("$", 1)[-1]
    kept = {name: step[name] for name in ("op", "urn", "replaceReasons", "diffReasons", "detailedDiff") if name in step}
    for name in ("oldState", "newState"):
        if state := step.get(name):
            kept[name] = {"inputs": dict(_inputs(kind, state.get("inputs") or {}))}
    states = [kept[name]["inputs"] for name in ("oldState", "newState") if name in kept]
    scripts = {state.get("stdin") for state in states}
    if len(scripts) == 1:  # a script that is not changed, or all of a new server's, is long and not read
        for state in states:
            state.pop("stdin", None)
    return kept


def _inputs(kind: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in inputs.items():
        if name in INPUTS.get(kind, ()):
            yield name, value


def record(cluster: Stack, name: str) -> None:
    settings, replaced = CHANGES[name]
    before = cluster.settings.read_text()
    cluster.change(**settings(cluster))
    arguments = ["--replace", f"{INSTANCE}{replaced}"] if replaced else []
    done = cluster.pulumi("preview", "--json", "--config-file", str(cluster.settings), *arguments)
    cluster.settings.write_text(before)
    _write(PREVIEWS / f"{name}.json", reduced(json.loads(done.stdout)))


def _write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    print(f"{file.relative_to(CLONE)}: {file.stat().st_size} bytes", flush=True)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, stack("sandbox", Path(folder)) as cluster:
        cluster.up()
        for name in CHANGES:
            record(cluster, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
