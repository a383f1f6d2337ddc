"""python -m tests.recordings [--rollouts]: records what the real engine says, for the tests that read it.

Needs root, and some minutes. One ha cluster on a sandbox of its own. Previews of ten kinds of change, which are never
made, go to tests/unit/files/previews/; the event logs of rollouts that are made, to tests/unit/files/events/. Both are
reduced to what is read. With --rollouts, the second alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sandbox.helped import help_if_asked
from sandbox.paths import CLONE
from tests.e2e.conftest import PROJECT, Stack, stack

FILES = CLONE / "tests" / "unit" / "files"
PREVIEWS, EVENTS = FILES / "previews", FILES / "events"
Changes = Callable[[Stack], Mapping[str, Any]]
INSTANCE = "**aws:ec2/instance:Instance::"
CTL = "/opt/opscode-push-jobs-server/bin/opscode-push-jobs-server-ctl"
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


def up(cluster: Stack, name: str, status: int = 0) -> None:
    """Its events, as `chef-push-jobs up` keeps them."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "events.jsonl"
        up = ["-m", "chef_push_jobs", "up", "--yes", "--stack", cluster.name, "--config-file", str(cluster.settings)]
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", "run", "--", sys.executable, *up, "--events", str(kept)],
            cwd=CLONE,
            env=cluster.environment(),
            check=False,
        )
        assert done.returncode == status, f"chef-push-jobs up ended with {done.returncode}"
        EVENTS.mkdir(parents=True, exist_ok=True)
        # Where this machine has its plugins is no part of it.
        lines = [line for line in kept.read_text().splitlines() if str(CLONE) not in line]
        (EVENTS / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def record_failure(cluster: Stack) -> None:
    """A change that a server cannot do, and the rollout that goes on from there; then Pulumi's own list of them."""
    cluster.change(**_push_jobs(cluster, settings={"heartbeat_interval": 2000}))
    cluster.output("frontend-1", f"chmod a-x {CTL}")
    up(cluster, "failed", status=1)
    cluster.output("frontend-1", f"chmod a+x {CTL}")
    up(cluster, "mended")
    history = json.loads(cluster.pulumi("stack", "history", "--json", "--full-dates").stdout)
    wanted = (
        "version",
        "kind",
        "startTime",
        "endTime",
        "message",
        "result",
        "resourceChanges",
        "environment",
        "config",
    )
    updates = [{name: update[name] for name in wanted if name in update} for update in history]
    for update in updates:
        update["environment"] = {name: update["environment"].get(name, "") for name in ("git.head", "pulumi.version")}
        update["config"] = {key: value for key, value in update["config"].items() if key.startswith(f"{PROJECT}:")}
    _write(EVENTS / "history.json", updates)


def _write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    print(f"{file.relative_to(CLONE)}: {file.stat().st_size} bytes", flush=True)


def main(previews: bool = True) -> int:
    with tempfile.TemporaryDirectory() as folder, stack("sandbox", Path(folder)) as cluster:
        up(cluster, "first")
        for name in CHANGES if previews else ():
            record(cluster, name)
        record_failure(cluster)
    return 0


if __name__ == "__main__":
    help_if_asked(__doc__)
    sys.exit(main(previews="--rollouts" not in sys.argv))
