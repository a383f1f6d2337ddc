"""What doctor makes of answers: each drift by itself, what mends it, and how it is told."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chef_push_jobs.cli.doctor import probe, report
from chef_push_jobs.cli.doctor.checks import Case, package
from chef_push_jobs.cli.doctor.diagnosis import diagnose
from chef_push_jobs.cli.doctor.findings import CellState, Diagnosis
from chef_push_jobs.cli.doctor.observations import Cloud, Machine, PortState, ProbeResult
from chef_push_jobs.cli.doctor.probe import CREDENTIALS, File, ServerFacts
from chef_push_jobs.cli.doctor.remediation import Remediation
from chef_push_jobs.engine.pulumi_cli import Place
from chef_push_jobs.engine.stack_state import ObservedRule, Stack, Target
from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.runbook.plan import StackPlan
from chef_push_jobs.runbook.steps import Action
from tests.unit.clusters import PUSH_JOBS, settings, stack

NONCE = "5e" * 32
NAMES = ["backend-0", "backend-1", "frontend-0", "frontend-1"]
PORTS = [10000, 10003, 10002]
PACKAGE = Path(probe.__file__).parent
OPERATOR, CLIENT = "10.8.0.10", "10.1.0.10"
OPEN_DOORS = {10000: PortState.OPEN, 10003: PortState.OPEN, 10002: PortState.SILENT}
RULE = ObservedRule("sg-frontend", False, "tcp", (443, 443), "10.1.0.0/24")
STRAY = ObservedRule("sg-frontend", False, "tcp", (10000, 10000), "0.0.0.0/0")
INSTANCE = "aws:ec2/instance:Instance"
IN_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def resource(kind: str, name: str, identity: str, **inputs: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:test::chef-push-jobs::{kind}::{name}", "type": kind, "id": identity, "inputs": inputs}


def resources(of: StackPlan) -> list[dict[str, Any]]:
    found = [resource("aws:ec2/securityGroup:SecurityGroup", tier, f"sg-{tier}") for tier in ("backend", "frontend")]
    found.append(
        resource(
            IN_RULE,
            "in-entry",
            "sgr-1",
            securityGroupId="sg-frontend",
            ipProtocol="tcp",
            fromPort=443,
            toPort=443,
            cidrIpv4="10.1.0.0/24",
        )
    )
    for name in NAMES:
        found.append(resource(INSTANCE, name, f"i-{name}", vpcSecurityGroupIds=[f"sg-{name.split('-')[0]}"]))
    for task in of.tasks.values():
        if task.id.runbook and task.action is Action.COMMAND:
            triggers = ["", task.fingerprint(of.context), f"connect-{task.server.name}"]
            found.append(resource("command:remote:Command", str(task), str(task), triggers=triggers))
    return found


def the_stack(**changes: Any) -> Stack:
    of = stack()
    targets = [Target(name, f"10.0.0.{number}", "ssh-ed25519 AAAA") for number, name in enumerate(NAMES, 4)]
    return Stack(
        Place("test"),
        replace(stack(**changes), owner="project/test"),
        {"aws:region": "us-east-1"},
        targets,
        resources(of),
    )


def well(name: str) -> ProbeResult:
    """What a server answers with which nothing is wrong."""
    of = settings()
    text = push_jobs.settings_file(of)
    backend, master = name.startswith("backend"), name == "backend-0"
    answers = ServerFacts(
        source=OPERATOR,
        prepared=True,
        packages={"opscode-push-jobs-server": "2.2.8-1", "chef-server-core": "12.19.31-1"},
        newer=frozenset(),
        files={
            **{path: File("root", "600", f"digest of {path}") for path in CREDENTIALS},
            push_jobs.SETTINGS_FILE: File("root", "644", probe.keyed(NONCE, text)),
        },
        service="run" if master else "down" if backend else "none",
        cluster=("master" if master else "backup") if backend else None,
        keepalived=True if backend else None,
        listens=frozenset(PORTS) if master else frozenset(),
        ha_status=0 if backend else None,
        copy_key=f"key of {name}",
        readers=frozenset(f"key of {other}" for other in NAMES) if master else frozenset(),
        used={"/": 40},
        time=1_800_000_000,
        certificates=(1_900_000_000,),
        owner=probe.keyed(NONCE, f"project/test/{name}"),
    )
    return ProbeResult(answers, doors=dict.fromkeys(PORTS, PortState.SILENT), time=1_800_000_000)


def the_cloud(rules: Mapping[str, ObservedRule] | None = None, **machines: Machine | None) -> Cloud:
    known = {f"i-{name}": Machine("running", frozenset({f"sg-{name.split('-')[0]}"})) for name in NAMES}
    for name, machine in machines.items():
        identity = f"i-{name.replace('_', '-')}"
        if machine:
            known[identity] = machine
        else:
            del known[identity]
    return Cloud({"sgr-1": RULE} if rules is None else rules, known)


def look(
    visits: Mapping[str, ProbeResult] | None = None, stack: Stack | None = None, cloud: Cloud | None = None
) -> Diagnosis:
    every = {name: well(name) for name in NAMES} | dict(visits or {})
    return diagnose(stack or the_stack(), every, cloud or the_cloud(), NONCE)


def changed(name: str, **changes: Any) -> dict[str, ProbeResult]:
    visit = well(name)
    assert visit.answers is not None
    return {name: replace(visit, answers=replace(visit.answers, **changes))}


def with_file(name: str, path: str, file: File | None) -> dict[str, ProbeResult]:
    answers = well(name).answers
    assert answers is not None
    files = {known: found for known, found in answers.files.items() if known != path}
    return changed(name, files=files | ({path: file} if file else {}))


def test_a_cluster_of_which_nothing_is_wrong_is_well() -> None:
    diagnosis = look()
    assert diagnosis.findings == ()
    assert {cell.state for row in diagnosis.cells.values() for cell in row.values()} == {CellState.WELL, CellState.NONE}


KEY = CREDENTIALS[1]
EDITED = File("root", "600", "another digest")

# What is found, and in which words; the tasks that mend it.
DRIFTS: dict[str, tuple[dict[str, ProbeResult], tuple[str, str], str, tuple[str, ...]]] = {
    "another package": (
        changed("frontend-0", packages={"opscode-push-jobs-server": "2.2.6-1", "chef-server-core": "none"}),
        ("frontend-0", "package"),
        "opscode-push-jobs-server is 2.2.6-1, not 2.2.8-1",
        ("push-jobs-install-frontend-0",),
    ),
    "no package": (
        changed("backend-1", packages={"opscode-push-jobs-server": "none", "chef-server-core": "none"}),
        ("backend-1", "package"),
        "opscode-push-jobs-server is none, not 2.2.8-1",
        ("push-jobs-install-backend-1",),
    ),
    "edited credentials": (
        with_file("frontend-1", KEY, EDITED),
        ("frontend-1", "credentials"),
        f"{KEY} differs, compared with the primary",
        ("push-jobs-copy-frontend-1",),
    ),
    "a missing credential": (
        with_file("backend-1", KEY, None),
        ("backend-1", "credentials"),
        f"{KEY} is missing, compared with the primary",
        ("push-jobs-copy-backend-1",),
    ),
    "a credential that everybody can read": (
        with_file("frontend-0", KEY, File("root", "644", f"digest of {KEY}")),
        ("frontend-0", "credentials"),
        f"{KEY} has owner root and mode 644, not root and 600, compared with the primary",
        ("push-jobs-copy-frontend-0",),
    ),
    "edited credentials on the primary": (
        with_file("backend-0", KEY, EDITED),
        ("backend-0", "credentials"),
        f"{KEY} differs, compared with all other servers; the primary's are copied again",
        ("push-jobs-reconfigure-primary-backend-0",),
    ),
    "another settings file on the primary": (
        with_file("backend-0", push_jobs.SETTINGS_FILE, EDITED),
        ("backend-0", "settings"),
        f"{push_jobs.SETTINGS_FILE} is different from what the stack writes",
        ("push-jobs-configure-backend-0",),
    ),
    "no settings file elsewhere": (
        with_file("frontend-0", push_jobs.SETTINGS_FILE, None),
        ("frontend-0", "settings"),
        f"{push_jobs.SETTINGS_FILE} is missing",
        ("push-jobs-copy-frontend-0",),
    ),
    "a stopped service": (
        changed("backend-0", service="down", listens=frozenset(), ha_status=7),
        ("backend-0", "service"),
        "opscode-pushy-server does not run on the master (down)",
        ("push-jobs-restart-pushy-backend-0",),
    ),
    "a service that is not enabled": (
        changed("backend-0", service="none", listens=frozenset()),
        ("backend-0", "service"),
        "opscode-pushy-server does not run on the master (none)",
        ("push-jobs-reconfigure-primary-backend-0",),
    ),
    "a deaf service": (
        changed("backend-0", listens=frozenset({10000})),
        ("backend-0", "service"),
        "opscode-pushy-server runs, but does not listen on 10002, 10003",
        ("push-jobs-restart-pushy-backend-0",),
    ),
    "a service on the standby": (
        changed("backend-1", service="run", ha_status=7),
        ("backend-1", "service"),
        "opscode-pushy-server runs on a backend that is not master",
        ("push-jobs-restart-pushy-backend-1",),
    ),
    "a service on a frontend": (
        changed("frontend-1", service="run"),
        ("frontend-1", "service"),
        "opscode-pushy-server runs on a frontend",
        ("push-jobs-reconfigure-frontend-1",),
    ),
    "a keepalived that does not know the service": (
        changed("backend-1", keepalived=False),
        ("backend-1", "keepalived"),
        "keepalived's scripts do not contain opscode-pushy-server: a failover would not move it",
        ("push-jobs-chef-reconfigure-backend-1",),
    ),
    "a new host key": (
        {"frontend-0": ProbeResult(host_key="SHA256:abc")},
        ("frontend-0", "host key"),
        (
            "its host key is not the pinned one, but SHA256:abc: it was reinstalled, or another machine answers in "
            "its place"
        ),
        (),
    ),
    "another's note": (
        changed("frontend-0", owner=probe.keyed(NONCE, "project/test/frontend-1")),
        ("frontend-0", "reachable"),
        (
            "another stack, or another server of this stack, has set it up since. Remove it there first, then it "
            "can belong to this one again"
        ),
        (),
    ),
    "a lost runner": (
        changed("frontend-0", prepared=False, packages={}, files={}, service="none"),
        ("frontend-0", "reachable"),
        "it is not prepared for tasks: it was reinstalled, or lost files in /var/lib/chef-rollout",
        ("connect-frontend-0",),
    ),
}


@pytest.mark.parametrize("name", DRIFTS)
def test_a_drift_is_one_finding_with_the_task_that_mends_it(name: str) -> None:
    visits, where, text, repair = DRIFTS[name]
    (found,) = look(visits).findings
    assert (found.server, found.check) == where
    assert found.text == text
    assert tuple(map(str, found.repair)) == repair
    assert set(found.repair) <= set(stack().tasks), "a repair names tasks of the stack"


NEWER = {"packages": {"opscode-push-jobs-server": "2.2.9-1"}, "newer": frozenset({"opscode-push-jobs-server"})}


def test_a_newer_package_is_taken_away_first_for_install_refuses_a_downgrade() -> None:
    diagnosis = look(changed("frontend-0", **NEWER))
    take_away, repair, up = mending(diagnosis).all()
    assert take_away == "ssh -p 22 ubuntu@10.0.0.6 sudo dpkg --remove opscode-push-jobs-server"
    assert "push-jobs-install-frontend-0" in repair
    assert up == "pulumi up --stack test"


def test_a_newer_package_on_the_primary_is_to_be_followed_for_it_has_changed_the_credentials() -> None:
    (found,) = look(changed("backend-0", **NEWER)).findings
    assert found.repair == ()
    assert found.commands == ("pulumi config set {options} --path {project}:pushJobs.package.file FILE-OF-2.2.9-1",)


def test_an_older_chef_server_is_not_upgraded_by_install_which_would_refuse_it() -> None:
    url = "https://packages.test/chef-server-core_12.19.31-1_amd64.deb"
    own = stack(chefServer__package__url=url, chefServer__package__sha256="3b" * 32)
    packages = {"opscode-push-jobs-server": "2.2.6-1", "chef-server-core": "12.17.5-1"}
    answers = changed("frontend-0", packages=packages)["frontend-0"].answers
    assert answers is not None
    found = package(Case(own, {}, {}, NONCE), own.topology.frontends[0], answers).finding
    assert found is not None
    assert "chef-server-core is 12.17.5-1, not 12.19.31-1" in found.text
    assert found.text.endswith("this project does not upgrade Chef server; use Chef's own procedure")
    assert [str(task) for task in found.repair] == ["push-jobs-install-frontend-0"]
    assert found.commands == ("pulumi config set {options} --path {project}:chefServer.package.file FILE-OF-12.17.5-1",)


def test_a_package_that_waits_for_pulumi_up_is_no_drift_and_one_without_a_version_is_to_be_there() -> None:
    url = "https://packages.test/opscode-push-jobs-server_2.2.9-1_amd64.deb"
    (found,) = look(stack=the_stack(pushJobs__package={"url": url, "sha256": "4c" * 32})).findings
    assert (found.server, found.check) == ("", "settings")
    unnamed = stack(pushJobs__package__url="https://packages.test/latest.deb")
    case = Case(unnamed, {}, {}, NONCE)
    for version, state in {"none": CellState.DRIFT, "2.2.9-1": CellState.WELL}.items():
        visit = changed("frontend-0", packages={"opscode-push-jobs-server": version})["frontend-0"]
        assert visit.answers is not None
        assert package(case, unnamed.topology.frontends[0], visit.answers).state is state


def test_after_a_failover_the_service_is_to_run_on_the_other_backend() -> None:
    visits = {
        **changed("backend-0", cluster="backup", service="down", listens=frozenset()),
        **changed("backend-1", cluster="master", service="run", listens=frozenset(PORTS)),
    }
    assert look(visits).findings == ()


@pytest.mark.parametrize(("word", "text"), [("master", "two masters"), ("backup", "no master")])
def test_a_cluster_has_one_master(word: str, text: str) -> None:
    visits = {
        **changed("backend-0", cluster=word, service="run" if word == "master" else "down"),
        **changed("backend-1", cluster=word, service="run" if word == "master" else "down", listens=frozenset(PORTS)),
    }
    found = [finding for finding in look(visits).findings if finding.server == ""]
    assert [finding.text for finding in found] == [f"keepalived knows {text}, not one"]
    assert not found[0].up, "no `pulumi up` decides that"


def test_a_server_that_cannot_be_asked_is_one_problem_with_what_the_cloud_knows() -> None:
    visits = {"frontend-0": ProbeResult(trouble="no answer within 30 s")}
    (found,) = look(visits).findings
    assert mending(look(visits)).all() == ["ssh -p 22 ubuntu@10.0.0.6"], "no `pulumi up` helps"
    assert (found.text, found.commands) == ("10.0.0.6: no answer within 30 s", ("ssh -p 22 ubuntu@10.0.0.6",))
    stopped = Machine("stopped", frozenset({"sg-frontend"}))
    (found,) = look(visits, cloud=the_cloud(frontend_0=stopped)).findings
    assert found.text == "10.0.0.6: no answer within 30 s; its machine i-frontend-0 is stopped"
    assert found.commands == ("aws ec2 start-instances --region us-east-1 --instance-ids i-frontend-0",)
    (found,) = look(visits, cloud=the_cloud(frontend_0=None)).findings
    assert found.refresh, "`pulumi up --refresh` makes another machine"


def test_no_server_is_compared_with_a_primary_that_cannot_be_asked() -> None:
    diagnosis = look({"backend-0": ProbeResult(trouble="gone")})
    assert [finding.server for finding in diagnosis.findings] == ["backend-0"]
    assert diagnosis.cells["frontend-0"]["credentials"].state is CellState.UNKNOWN


@pytest.mark.parametrize("door", [PortState.OPEN, PortState.REFUSED])
def test_a_push_jobs_port_that_lets_the_operator_through_is_told(door: PortState) -> None:
    visit = replace(well("frontend-0"), doors={10000: door, 10003: PortState.SILENT, 10002: PortState.SILENT})
    (found,) = look({"frontend-0": visit}).findings
    assert (found.check, found.refresh) == ("ports", True)
    assert found.text == "the firewall allows this machine (10.8.0.10) to connect to 10000"


def test_a_firewall_that_is_not_the_stacks_may_refuse_in_words() -> None:
    known = the_stack()
    without = [one for one in known.resources if "ecurityGroup" not in one["type"] and one["type"] != INSTANCE]
    visit = replace(well("frontend-0"), doors=dict.fromkeys(PORTS, PortState.REFUSED))
    assert look({"frontend-0": visit}, replace(known, resources=without), Cloud({}, {})).findings == ()


def test_an_operator_who_is_a_client_is_to_reach_the_backends_and_nothing_else() -> None:
    def seen(name: str, doors: Mapping[int, PortState]) -> dict[str, ProbeResult]:
        visit = changed(name, source=CLIENT)[name]
        return {name: replace(visit, doors=doors)}

    assert look(seen("backend-0", OPEN_DOORS)).findings == ()
    (found,) = look(seen("backend-0", dict.fromkeys(PORTS, PortState.SILENT))).findings
    assert found.text == "the firewall blocks this machine (10.1.0.10, a client) from 10000, 10003"
    (found,) = look(seen("frontend-0", OPEN_DOORS)).findings
    assert found.text == "the firewall allows this machine (10.1.0.10) to connect to 10000, 10003"
    (found,) = look(seen("backend-0", dict.fromkeys(PORTS, PortState.OPEN))).findings
    assert found.text == "the firewall allows this machine (10.1.0.10) to connect to 10002", "the API is for frontends"


@pytest.mark.parametrize("way", [{"bastion": {}}, {"ssh.proxy": {"host": "10.9.0.10", "user": "ubuntu"}}])
def test_behind_a_bastion_nothing_is_said_of_ports_that_are_knocked_at_from_here(way: dict[str, Any]) -> None:
    of = stack(**{path.replace(".", "__"): value for path, value in way.items()})
    visit = replace(changed("backend-0", source=CLIENT)["backend-0"], doors=dict.fromkeys(PORTS, PortState.SILENT))
    diagnosis = look({"backend-0": visit}, replace(the_stack(), plan=replace(of, owner="project/test")))
    assert diagnosis.problems == ()
    unknown = diagnosis.unknown[0]
    assert (unknown.server, unknown.check) == ("backend-0", "ports")
    assert unknown.commands[0] == "nc -vz -w 2 10.0.0.4 10000"
    assert diagnosis.well
    told = report.as_text(the_stack(), diagnosis, mending(diagnosis), 1.0)
    assert "all well" not in told
    assert "unknown, and how to find out:" in told
    assert "backend-0: ports: they cannot be checked through a bastion" in told
    assert diagnosis.cells["backend-0"]["ports"].state is CellState.UNKNOWN


def test_a_rule_made_by_hand_is_taken_over_and_removed_by_up() -> None:
    visit = replace(
        well("frontend-0"), doors={10000: PortState.REFUSED, 10003: PortState.SILENT, 10002: PortState.SILENT}
    )
    diagnosis = look({"frontend-0": visit}, cloud=the_cloud({"sgr-1": RULE, "sgr-2": STRAY}))
    ports, by_hand = diagnosis.findings
    assert by_hand.text == "security group frontend has a rule that was added by hand: tcp 10000 from 0.0.0.0/0 (sgr-2)"
    assert ports.commands == by_hand.commands, "the open port comes from it"
    assert mending(diagnosis).all() == [
        "pulumi import --stack test --yes --skip-preview --protect=false --generate-code=false"
        f" {IN_RULE} by-hand-sgr-2 sgr-2",
        "pulumi up --stack test",
    ]


def test_a_rule_that_is_gone_or_changed_comes_back_by_a_refresh() -> None:
    (found,) = look(cloud=the_cloud({})).findings
    assert found.text == "the rule in-entry (sgr-1) is gone: tcp 443 from 10.1.0.0/24"
    (other,) = look(cloud=the_cloud({"sgr-1": replace(RULE, peer="0.0.0.0/0")})).findings
    assert other.text == "the rule in-entry (sgr-1) is changed: tcp 443 from 0.0.0.0/0, not tcp 443 from 10.1.0.0/24"
    assert found.refresh
    assert other.refresh


def test_a_machine_in_another_security_group_and_one_that_took_a_place_are_told() -> None:
    other = Machine("running", frozenset({"sg-frontend", "sg-open"}))
    (found,) = look(cloud=the_cloud(frontend_0=other)).findings
    assert found.text == "its machine i-frontend-0 is in security groups sg-frontend, sg-open, not its own"
    (found,) = look({"frontend-0": ProbeResult(host_key="SHA256:abc")}, cloud=the_cloud(frontend_0=None)).findings[1:]
    assert found.text == "its machine i-frontend-0 is gone, and another machine answers in its place"


def test_an_api_that_does_not_answer_is_told_and_no_rule_is_thought_gone() -> None:
    (found,) = look(cloud=Cloud({}, {}, "Unable to locate credentials")).findings
    assert found.text == "the AWS API could not be asked: Unable to locate credentials"


def test_settings_that_were_not_rolled_out_are_no_drift_of_a_server() -> None:
    diagnosis = look(stack=the_stack(pushJobs__commandPort="10004"))
    (found,) = diagnosis.findings
    assert found.text.startswith("the settings changed since the last pulumi up, which has not run push-jobs-configure")
    assert mending(diagnosis).all() == ["pulumi up --stack test"]


def test_a_package_that_was_not_rolled_out_is_no_drift_of_the_settings_file_that_goes_with_it() -> None:
    """That of 2.x names the database's address."""
    failing_over: dict[str, Any] = {"highAvailability": {"provider": "aws"}}
    package = {"url": f"https://packages.test/{PUSH_JOBS.replace('1.1.6', '2.2.8')}", "sha256": "4c" * 32}
    known = the_stack(**failing_over, pushJobs__package=package)
    (found,) = look(stack=replace(known, resources=resources(stack(**failing_over)))).findings
    assert found.text.startswith("the settings changed since the last pulumi up, which has not run push-jobs-install")


def test_servers_that_were_not_made_yet_are_told() -> None:
    (found,) = look(stack=the_stack(frontends="3")).findings
    assert found.text == "frontend-2 in the settings were not created yet"


PLACE = Place("test")


def mending(diagnosis: Diagnosis, place: Place = PLACE) -> Remediation:
    return Remediation(place, stack(), "20261124T0500Z", diagnosis.findings)


def test_repairs_are_settings_and_one_up_and_what_follows_from_another_is_left_out() -> None:
    visits = {
        **with_file("frontend-0", KEY, EDITED),
        **with_file("backend-0", push_jobs.SETTINGS_FILE, EDITED),
        "frontend-1": ProbeResult(host_key="SHA256:abc"),
    }
    diagnosis = look(visits)
    place = Place("test", "/my settings/Pulumi.test.yaml")
    options = "--stack test --config-file '/my settings/Pulumi.test.yaml'"
    sets = [
        f"pulumi config set {options} --path 'chef-push-jobs:ssh.hostKeys.frontend-1' SHA256:abc",
        f"pulumi config set {options} --path 'chef-push-jobs:repair[\"push-jobs-configure-backend-0\"]' 20261124T0500Z",
    ]
    made = mending(diagnosis, place)
    assert made.all() == [*sets, f"pulumi up {options}"]
    by_server = {finding.server: made.commands(finding) for finding in diagnosis.findings}
    assert sets[1] in by_server["frontend-0"], "the copy follows from the configuration"


def test_the_text_of_a_well_stack_is_one_line_and_of_another_a_line_a_problem() -> None:
    known, fine = the_stack(), look()
    assert report.as_text(known, fine, mending(fine), 1.26) == "stack test: all well (4 servers, 1.3 s)"
    ill = look(with_file("frontend-0", KEY, EDITED))
    lines = report.as_text(known, ill, mending(ill), 1.26).splitlines()
    assert lines[0].split() == ["server", "reachable", "host", "key", *lines[0].split()[4:]]
    assert "  frontend-0: credentials: /etc/opscode-push-jobs-server/pushy_priv.pem differs, " in lines[7]
    assert [line.strip().split()[:2] for line in lines[8:]] == [["pulumi", "config"], ["pulumi", "up"]]
    assert "! differ" in lines[3]


def test_the_json_has_the_documented_shape() -> None:
    ill = look(with_file("frontend-0", KEY, EDITED))
    document = json.loads(report.as_json(the_stack(), ill, mending(ill), 1.26))
    assert list(document) == ["stack", "well", "servers", "problems", "unknown", "commands", "seconds"]
    assert document["servers"]["frontend-0"]["checks"]["credentials"] == {"state": "drift", "shown": "differ"}
    assert document["problems"][0]["commands"] == document["commands"]
    assert all(f"    {name}" in str(report.__doc__) for name in document)


VERSIONS = {"opscode-push-jobs-server": "2.2.8-1", "chef-server-core": "12.19.31-1"}
SCRIPT = probe.script(NONCE, [push_jobs.SETTINGS_FILE, *CREDENTIALS], PORTS, VERSIONS, "root")


def test_the_script_answers_on_this_machine_too_and_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a file"
    link = tmp_path / "file"
    file.write_text("content\n")
    link.symlink_to(file)
    script = probe.script(NONCE, [str(link)], [1], {}, "root")
    done = subprocess.run(["sh", "-s"], input=script, text=True, capture_output=True, check=True)
    answers = probe.parse_facts(f"from\t10.8.0.10\n{done.stdout}")
    assert answers.source == "10.8.0.10"
    assert answers.files[str(link)].digest == probe.keyed(NONCE, "content\n")
    assert 0 <= answers.used["/"] <= 100
    assert abs(int(answers.time or 0) - time.time()) < 60
    assert done.stderr == ""


@pytest.mark.parametrize("text", ["", "from\t10.8.0.10\n", SCRIPT])
def test_an_answer_without_its_end_is_refused(text: str) -> None:
    with pytest.raises(probe.IncompleteFacts):
        probe.parse_facts(text)


def the_finding(diagnosis: Diagnosis) -> tuple[str, str, str]:
    (found,) = diagnosis.findings
    assert found.commands, "what to do stands there"
    assert not found.up
    return found.server, found.check, found.text


def test_a_standby_without_keepalived_is_never_well() -> None:
    server, check, text = the_finding(look(changed("backend-1", ha_status=7)))
    assert (server, check) == ("backend-1", "keepalived")
    assert text == "a service, perhaps keepalived itself, does not run as it should: look at its output"
    assert the_finding(look(changed("backend-1", ha_status=99)))[2].startswith("its own check exits with status 99")


def test_a_master_that_came_back_without_its_volume_is_told_how_to_recover() -> None:
    diagnosis = look(changed("backend-0", ha_status=4))
    assert "a master that lost its network comes back without it" in the_finding(diagnosis)[2]
    assert mending(diagnosis).all()[1] == "ssh -p 22 ubuntu@10.0.0.4 sudo chef-server-ctl master-recover"


NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("answer", "check", "text"),
    [
        ({"used": {"/": 40, "/var": 100}}, "room", "/var is 100 % full: free some space"),
        (
            {"time": NOW - 700},
            "clock",
            "its clock is 700 s behind this machine's; Chef refuses requests from 900 s on: set it with NTP",
        ),
        ({"certificates": (NOW + 9 * 86400 + 5,)}, "certificate", "the API's certificate ends in 9 days"),
        ({"certificates": (NOW - 86400,)}, "certificate", "the API's certificate ended 1 days ago"),
    ],
)
def test_room_clock_and_certificate_are_looked_at(answer: dict[str, Any], check: str, text: str) -> None:
    found = the_finding(look(changed("frontend-0", **answer)))
    assert found[:2] == ("frontend-0", check)
    assert found[2].startswith(text)


@pytest.mark.parametrize("answer", [{"used": {}}, {"time": None}, {"certificates": (0,)}, {"ha_status": None}])
def test_what_was_not_told_is_not_known_and_not_well(answer: dict[str, Any]) -> None:
    diagnosis = look(changed("backend-1", **answer))
    (found,) = diagnosis.unknown
    assert (diagnosis.problems, bool(found.commands)) == ((), True)
    assert "all well" not in report.as_text(the_stack(), diagnosis, mending(diagnosis), 1)


def test_copy_keys_that_were_purged_from_the_primary_are_shared_again() -> None:
    (found,) = look(changed("backend-0", readers=frozenset({"key of frontend-0"}))).findings
    assert found.text == "its authorized_keys does not let backend-1, frontend-1 copy: the next change would fail there"
    assert [str(one) for one in found.repair] == ["push-jobs-share-backend-0"]


def test_commands_go_through_the_bastion_by_the_port_and_to_the_project_as_it_is_called() -> None:
    of = stack(ssh__port=2222, ssh__proxy={"host": "10.9.0.10", "user": "jump", "port": 2022})
    known = replace(the_stack(), plan=of, project="renamed")
    visits = {**changed("backend-1", cluster="master"), **changed("frontend-0", **NEWER)}
    diagnosis = look(visits, known)
    made = Remediation(PLACE, of, "20261124T0500Z", diagnosis.findings, known.project).all()
    ssh = [command for command in made if command.startswith("ssh ")]
    assert len(ssh) >= 3
    assert all(command.startswith("ssh -p 2222 -J jump@10.9.0.10:2022 ubuntu@10.0.0.") for command in ssh)
    assert any("'renamed:repair[" in command for command in made)
    assert not any("chef-push-jobs:" in command for command in made)


@given(st.text(min_size=1))
def test_no_text_that_a_server_sent_is_a_part_of_a_command(text: str) -> None:
    """Whatever stands in the place of a version, of a path or of a state: it is refused, or it is a word."""
    answer = f"from\t1.2.3.4\nprepared\tyes\npackage\t{probe.PACKAGES[0]}\t{text}\tyes\n"
    answer += f"package\t{probe.PACKAGES[1]}\tnone\tno\nservice\t{text}\nused\t/\t1\nend\tof-answers\n"
    try:
        facts = probe.parse_facts(answer)
    except probe.IncompleteFacts as refused:
        assert len(str(refused)) < 300
        return
    for command in mending(look({"backend-0": ProbeResult(facts)})).all():
        assert shlex.join(shlex.split(command)).count(";") == 0


SHELL = {"command": {"asyncio"}, "visit": {"asyncssh"}, "cloud": {"boto3"}}


@pytest.mark.parametrize("module", sorted(PACKAGE.glob("*.py")), ids=lambda path: str(path.stem))
def test_only_the_shell_of_doctor_talks_to_the_world_and_none_knows_the_tests_cloud(module: Path) -> None:
    tree = ast.parse(module.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    packages = {name.split(".")[0] for name in names}
    assert not packages & {"moto", "tests", "pulumi", "sandbox"}
    assert "sandbox" not in module.read_text()
    assert module.stem in SHELL or not packages & {"asyncio", "asyncssh", "boto3", "botocore", "subprocess", "socket"}
    assert ast.get_docstring(tree)
