"""The comment on a pull request, from recorded previews of ten kinds of change (tests/recordings.py)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from chef_push_jobs import scripts
from chef_push_jobs.cli.app import main
from chef_push_jobs.cli.review import picture
from chef_push_jobs.cli.review.changed_settings import ChangedSettings
from chef_push_jobs.cli.review.comment import LIMIT, comment, failed
from chef_push_jobs.cli.review.preview_review import PreviewReview, review_of
from chef_push_jobs.cli.review.reasons import reasons
from chef_push_jobs.cli.review.warnings import warnings
from chef_push_jobs.cli.server_names import listed
from chef_push_jobs.engine.preview import COMMAND, UNKNOWN, Change, Op, Preview, PreviewError
from chef_push_jobs.model.packages import Package
from chef_push_jobs.model.topology import Topology
from chef_push_jobs.runbook.plan import StackPlan, TaskId
from chef_push_jobs.runbook.steps import Action
from tests.examples import EXAMPLES, examples
from tests.unit.clusters import EXISTING, of, topologies

PREVIEWS = Path(__file__).parent / "files" / "previews"
RECORDED = sorted(file.stem for file in PREVIEWS.glob("*.json"))
RESTART = "Push jobs restarts in stack sandbox"
CHEF = "Chef server is reconfigured"
# What each comment warns of, in its order.
WARNINGS = {
    "client-cidr-added": ["The firewall is widened"],
    "credentials-rotated": [RESTART, "New push jobs credentials are created"],
    "frontend-added": [CHEF],
    "frontend-removed": ["frontend-1 is deleted, with its data.", CHEF],
    "nothing-changed": [],
    "package-upgraded": [
        "The package changes",
        "Clients of push jobs 1.x will no longer be served",
        RESTART,
    ],
    "ports-changed": [RESTART, "The firewall is widened"],
    "primary-replaced": ["The primary is replaced", RESTART, CHEF],
    "settings-changed": [RESTART],
    "standby-replaced": [
        "backend-1 is replaced, and loses its data.",
        "Push jobs restarts on backend-1 if it is the master now",
        CHEF,
    ],
}


BEFORE: dict[str, str] = json.loads((PREVIEWS / "nothing-changed.json").read_text())["config"]


def recorded(name: str) -> PreviewReview:
    return review_of((PREVIEWS / f"{name}.json").read_text(), "sandbox", BEFORE)


def changed(name: str, edit: Any, before: dict[str, str] | None = BEFORE) -> PreviewReview:
    """A recording with something else in it."""
    content = json.loads((PREVIEWS / f"{name}.json").read_text())
    edit(content)
    return review_of(json.dumps(content), "sandbox", before)


def with_settings(**sections: Any) -> Callable[[Any], None]:
    """The keys of a section, or a value, in the configuration of a recording."""

    def edit(content: Any) -> None:
        for name, value in sections.items():
            key = f"chef-push-jobs:{name}"
            section = isinstance(value, dict)
            content["config"][key] = (
                json.dumps({**json.loads(content["config"].get(key, "{}")), **value}) if section else value
            )

    return edit


def history_of(values: dict[str, str], result: str = "succeeded") -> str:
    """As `pulumi stack history --json` tells one update."""
    config = {key: {"value": value, "secret": False} for key, value in values.items()}
    return json.dumps([{"kind": "update", "result": result, "config": config}])


def resized(content: Any, names: Sequence[str], **settings: str) -> None:
    """The machines of that name get another instance type; the recorded cluster is an ha one with two frontends."""
    parent = "urn:pulumi:sandbox::chef-push-jobs::chef-push-jobs:index:ChefServers$aws:ec2/instance:Instance::"
    content["config"] |= {f"chef-push-jobs:{name}": value for name, value in settings.items()}
    content["steps"] += [
        {
            "op": "update",
            "urn": parent + name,
            "oldState": {"inputs": {"instanceType": "m5.large"}},
            "newState": {"inputs": {"instanceType": "m5.xlarge"}},
        }
        for name in names
    ]


ALL = ("backend-0", "frontend-1", "backend-1", "frontend-0")


@pytest.mark.parametrize(
    ("names", "settings", "expected"),
    [
        (
            ALL,
            {},
            "**frontend-0, frontend-1, backend-0, backend-1 stop for the change**, one at a time, the standby before "
            "the master, which hands over first. Clients notice one failover.",
        ),
        (
            ALL,
            {"allowDowntime": "true"},
            "**frontend-0, frontend-1, backend-0, backend-1 stop for the change**, all at once (`allowDowntime`): "
            "until they have started, nothing answers.",
        ),
        (("frontend-0",), {}, "**frontend-0 stops for the change**, one at a time."),
    ],
)
def test_machines_that_stop_are_warned_of_with_their_order(
    names: tuple[str, ...], settings: dict[str, str], expected: str
) -> None:
    subject = changed("nothing-changed", lambda content: resized(content, names, **settings))
    assert warnings(subject) == (expected,)


def test_there_are_ten_recordings() -> None:
    assert set(RECORDED) == set(WARNINGS)


def test_the_examples_are_what_the_command_says_now() -> None:
    stale = [name for name, text in examples() if (EXAMPLES / name).read_text() != text]
    assert not stale, f"run python -m tests.examples: {stale}"


@pytest.mark.parametrize("name", RECORDED)
def test_the_worst_is_told_first_and_nothing_else_is_warned_of(name: str) -> None:
    subject = recorded(name)
    told = [re.sub(r"\*\*(.+?)\*\*.*", r"\1", text, flags=re.DOTALL) for text in warnings(subject)]
    assert told == WARNINGS[name]
    text = comment(subject)
    assert not told or text.index("[!WARNING]") < text.index("####"), "a warning stands above all else"


@pytest.mark.parametrize("name", RECORDED)
def test_every_task_that_runs_has_a_reason_that_the_runbook_gives(name: str) -> None:
    subject = recorded(name)
    for change in subject.running:
        for reason in reasons(subject, change):
            assert "--replace" not in reason, f"{change.name} runs, and no edge says why"


def test_a_task_that_nothing_but_the_command_line_replaces_is_said_to_be_so() -> None:
    def untouched(content: Any) -> None:
        content["steps"] = [step for step in content["steps"] if step["urn"].endswith("push-jobs-test-backend-0")]
        for step in content["steps"]:
            step["newState"]["inputs"]["triggers"] = step["oldState"]["inputs"]["triggers"]

    subject = changed("settings-changed", untouched)
    assert [reasons(subject, change) for change in subject.running] == [("the command line requests it (`--replace`)",)]


def test_a_changed_setting_is_shown_as_the_script_has_it() -> None:
    text = comment(recorded("settings-changed"))
    assert "+opscode_pushy_server['heartbeat_interval'] = 2000" in text
    assert "| `pushJobs.settings.heartbeat_interval` | not set | `2000` |" in text
    assert "| `pushJobs.commandPort` | not set (`10003`) | `11003` |" in comment(recorded("ports-changed"))
    why = "the setting `pushJobs.settings.heartbeat_interval` changed"
    assert f"| `push-jobs configure` | backend-0 | {why} |" in text


def test_a_setting_is_shown_with_was_and_is_whatever_else_changed() -> None:
    """The script's other addresses are not known yet, so the engine shows nothing of it."""
    text = comment(changed("frontend-added", with_settings(chefServer={"apiFqdn": "other.test"})))
    assert "| `chefServer.apiFqdn` | `chef.test` | `other.test` |\n| `frontends` | `2` | `3` |" in text
    why = "its script names the servers: frontend-2 comes<br>the setting `chefServer.apiFqdn` changed<br>"
    assert f"| `chef configure` | backend-0 | {why}" in text
    assert "| `chef share` | backend-0 | its script names the servers: frontend-2 comes<br>`reconf" in text
    for line in ('-api_fqdn \\"chef.test', '+api_fqdn \\"other.test', '+server \\"frontend-2.chef.test'):
        assert f"\n{line}" in text


def test_a_task_is_not_explained_by_a_count_that_it_does_not_follow() -> None:
    def form(content: Any) -> None:
        with_settings(frontends="3")(content)

    told = comment(changed("settings-changed", form))
    assert "| `push-jobs configure` | backend-0 | the setting `pushJobs.settings.heartbeat_interval` changed |" in told


@pytest.mark.parametrize(
    ("was", "now", "row"),
    [
        ({"bastion": None}, {"bastion": {}}, "| `bastion` | not set | `{}` |"),
        ({"clientCidrs": ["10.1.0.0/24"]}, {"clientCidrs": ["a|b"]}, r"| `clientCidrs` | `10.1.0.0/24` | `a\|b` |"),
        ({"domain": "x"}, {"domain": r"a\|`b`"}, r"| `domain` | `x` | `a\|'b'` |"),
        ({"ssh": {"privateKey": "[secret]"}}, {"ssh": {"privateKey": "[secret]"}}, ""),
        ({"ssh": "[secret]"}, {"ssh": {"privateKey": "[secret]", "user": "x"}}, ""),
        ({}, {"ssh": {"privateKey": "[secret]"}}, "| `ssh.privateKey` | not set | (secret) |"),
        (
            {"servers": [{"name": "a", "address": "10.0.0.1"}, {"name": "b", "hostKey": "SHA256:x"}]},
            {"servers": [{"name": "b", "hostKey": "SHA256:y"}, {"name": "a", "address": "10.0.0.1"}]},
            "| `servers[b].hostKey` | `SHA256:x` | `SHA256:y` |",
        ),
        ({"aws:secretKey": "x"}, {"aws:secretKey": "y"}, ""),
        ({"aws:region": "eu-west-1"}, {"aws:region": "us-east-1"}, "| `aws:region` | `eu-west-1` | `us-east-1` |"),
    ],
)
def test_settings_of_every_form_are_shown_and_secrets_are_not(was: Any, now: Any, row: str) -> None:
    def given(values: Any) -> dict[str, str]:
        named = {key if ":" in key else f"chef-push-jobs:{key}": value for key, value in values.items()}
        named |= {"chef-push-jobs:topology": "ha"}
        return {key: one if isinstance(one, str) else json.dumps(one) for key, one in named.items() if one is not None}

    settings = ChangedSettings(given(was), given(now))
    rows = comment(PreviewReview("s", of_nothing(), Preview(()), settings)).partition("| --- | --- | --- |\n")[2]
    assert rows.strip() == row


def of_nothing() -> StackPlan:
    return recorded("nothing-changed").plan


def test_what_ran_last_with_other_settings_or_of_another_version_is_not_laid_to_a_setting() -> None:
    def form(content: Any) -> None:
        with_settings(pushJobs={"settings": {}})(content)

    subject = changed("settings-changed", form)
    [configure] = [one for one in subject.running if one.name == "push-jobs-configure-backend-0"]
    assert reasons(subject, configure) == ("its script changed (below)",)


def test_where_the_history_is_not_to_be_had_it_is_said() -> None:
    text = comment(changed("settings-changed", lambda content: None, before=None))
    assert "What the settings were is not known here" in text
    assert "| `push-jobs configure` | backend-0 | its script changed (below) |" in text


@pytest.mark.parametrize("told", ["", "{}", "[1]", '[{"kind": "update", "config": [1]}]'])
def test_a_history_that_is_none_is_refused_in_one_line(
    told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "history.json").write_text(told)
    arguments = ["--preview", str(PREVIEWS / "ports-changed.json"), "--history", str(tmp_path / "history.json")]
    assert main(["review", *arguments]) == (0 if told == "{}" else 2)
    if told != "{}":
        said = capsys.readouterr().err
        assert said.endswith("history.json: it is not the output of `pulumi stack history --json`\n")


def test_servers_that_come_and_go_are_the_reason_where_a_script_names_them() -> None:
    for name, reason in (("frontend-added", "frontend-2 comes"), ("frontend-removed", "frontend-1 goes")):
        assert f"its script names the servers: {reason}" in comment(recorded(name))


def test_a_rule_for_the_whole_world_is_named_so() -> None:
    def wide(content: Any) -> None:
        for step in content["steps"]:
            step["newState"]["inputs"]["cidrIpv4"] = "0.0.0.0/0"

    assert "TCP 10000 from the whole internet: push jobs heartbeat" in comment(changed("client-cidr-added", wide))


def with_scripts(task: str, before: str, after: str) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for step in content["steps"]:
            if f"::{task}-" in step["urn"] and {"oldState", "newState"} <= step.keys():
                step["oldState"]["inputs"]["stdin"], step["newState"]["inputs"]["stdin"] = before, after

    return change


@pytest.mark.parametrize("url", [None, "https://packages.test/x"])
def test_another_package_is_found_in_the_script_that_installs_it(url: str | None) -> None:
    packages = [Package(f"pushy_{version}_amd64.deb", "3b" * 32, None if url else "x", url) for version in ("1", "2")]
    before, after = (scripts.install(package, "ubuntu").text for package in packages)
    told = warnings(changed("package-upgraded", with_scripts("push-jobs-install", before, after)))
    assert told[0].startswith("**The package changes**: `pushy_2_amd64.deb` in place of `pushy_1_amd64.deb`")


@pytest.mark.parametrize(("setting", "made_anew"), [("2026-10", False), ("2026-11", True)])
def test_another_form_of_the_script_that_rotates_makes_no_new_credentials(setting: str, made_anew: bool) -> None:
    before, after = scripts.rotate("2026-10").text, scripts.rotate(setting).text + ": another form\n"
    told = warnings(changed("credentials-rotated", with_scripts("push-jobs-rotate", before, after)))
    assert any("push jobs credentials are created" in text for text in told) == made_anew


@pytest.mark.parametrize(
    ("before", "after", "widened"),
    [
        ("10.1.0.0/24", "10.1.0.0/25", False),
        ("10.1.0.0/24", "10.1.0.0/16", True),
        ("10.1.0.0/24", "10.2.0.0/24", True),
        ("10.1.0.0/24", "pl-1", True),
        ("pl-1", "pl-1", False),
        ("10.1.0.0/24", "::/0", True),
        ("fd00::/64", "fd00::/65", False),
    ],
)
def test_a_changed_rule_widens_where_it_lets_in_more_than_before(before: str, after: str, widened: bool) -> None:
    sides = before, after

    def update(content: Any) -> None:
        step = content["steps"][0]
        rule = {key: value for key, value in step["newState"]["inputs"].items() if key != "cidrIpv4"}
        kinds = ["prefixListId" if peer.startswith("pl") else f"cidrIpv{6 if ':' in peer else 4}" for peer in sides]
        states = [{"inputs": {**rule, kind: peer}} for kind, peer in zip(kinds, sides, strict=True)]
        step |= {"op": "update", "oldState": states[0], "newState": states[1]}
        content["steps"] = [step]

    assert bool(warnings(changed("client-cidr-added", update))) == widened


@pytest.mark.parametrize(("protocol", "port", "told"), [("112", None, "VRRP from"), ("icmp", -1, "ICMP from")])
def test_a_protocol_without_ports_is_told_by_its_name(protocol: str, port: int | None, told: str) -> None:
    def without_ports(content: Any) -> None:
        for step in content["steps"]:
            step["newState"]["inputs"] |= {"ipProtocol": protocol, "fromPort": port, "toPort": port}

    assert f"{told} 10.2.0.0/24: push jobs heartbeat" in comment(changed("client-cidr-added", without_ports))


@pytest.mark.parametrize("before", [None, "203.0.113.7/32"])
def test_an_address_that_aws_chooses_is_no_door_to_others(before: str | None) -> None:
    """A rule for the public address of a machine that is new, or replaced: of the cluster's own servers."""

    def chosen(content: Any) -> None:
        for step in content["steps"]:
            step["newState"]["inputs"]["cidrIpv4"] = UNKNOWN
            if before:
                step["op"], step["oldState"] = "update", {"inputs": {**step["newState"]["inputs"], "cidrIpv4": before}}

    subject = changed("client-cidr-added", chosen)
    assert not any("The firewall is widened" in text for text in warnings(subject))
    text = comment(subject)
    assert "TCP 443 from an address that AWS chooses: Chef server API" in text
    assert UNKNOWN not in text


def step(op: str, kind: str, name: str, before: Any = None, after: Any = None) -> dict[str, Any]:
    states = {"oldState": before, "newState": after}
    found = {key: {"inputs": inputs} for key, inputs in states.items() if inputs is not None}
    return {"op": op, "urn": f"urn:pulumi:sandbox::chef-push-jobs::{kind}::{name}", **found}


def connect(name: str, before: str | None, after: str | None) -> dict[str, Any]:
    """Its identity: the machine, and the host key that the settings give, if they do."""
    op = "create" if before is None else "delete" if after is None else "replace"
    states = [value and {"create": "x", "triggers": ["", value]} for value in (before, after)]
    return step(op, COMMAND, f"connect-{name}", *states)


INSTANCE, VOLUME, BALANCER = (
    "aws:ec2/instance:Instance",
    "aws:ebs/volume:Volume",
    "aws:lb/loadBalancer:LoadBalancer",
)
SEEN: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "the whole stack is destroyed": (
        [
            *(connect(f"{name}-{number}", "i-1", None) for name in ("backend", "frontend") for number in (0, 1)),
            step("delete", VOLUME, "availability-data", {"size": 100}),
        ],
        [
            "**The data volume is deleted** (`availability-data`), and with it Chef server's data: have a backup.",
            "**The primary goes** (`backend-0`), with what is on it: have a backup.",
            "**backend-1, frontend-0, frontend-1 are deleted, with their data.**",
        ],
    ),
    "the data volume is replaced": (
        [step("create-replacement", VOLUME, "availability-data", {"size": 100}, {"size": 100})],
        ["**The data volume is replaced** (`availability-data`), and with it Chef server's data: have a backup."],
    ),
    "another host key": (
        [connect("frontend-1", "i-1 SHA256:a", "i-1 SHA256:b"), connect("frontend-0", "i-2", "i-2 SHA256:c")],
        [
            "**Another host key is trusted** for frontend-0, frontend-1: compare it on the console "
            "(docs/operations.md, New host keys). The server is set up anew."
        ],
    ),
    "no host key any more": (
        [connect("backend-1", "i-1 SHA256:a", "i-1")],
        [
            "**Whoever answers is trusted** as backend-1: its host key is not in the settings any more. The server is "
            "set up anew."
        ],
    ),
    "another machine with a key of its own": (
        [step("replace", INSTANCE, "frontend-1"), connect("frontend-1", "i-1 SHA256:a", "i-2 SHA256:b")],
        ["**frontend-1 is replaced, and loses its data.**"],
    ),
    "protection is taken off": (
        [
            step("update", INSTANCE, "backend-0", {"disableApiTermination": True}, {"disableApiTermination": False}),
            step("update", BALANCER, "entry", {"enableDeletionProtection": True}, {}),
        ],
        ["**Protection is taken off** backend-0, entry: they can be deleted from now on."],
    ),
    "the load balancer and a server are reached from the internet": (
        [
            step("create-replacement", BALANCER, "entry", {"internal": True}, {"internal": False}),
            step(
                "create-replacement",
                INSTANCE,
                "frontend-0",
                {"associatePublicIpAddress": False},
                {"associatePublicIpAddress": True},
            ),
        ],
        [
            "**The network is opened**:\n  - the load balancer entry has public addresses"
            "\n  - frontend-0 has a public address"
        ],
    ),
    "metadata without a session token": (
        [
            step(
                "update",
                INSTANCE,
                "frontend-0",
                {"metadataOptions": {"httpTokens": "required"}},
                {"metadataOptions": {"httpTokens": "optional"}},
            )
        ],
        ["**Metadata is given without a session token** on frontend-0."],
    ),
}


@pytest.mark.parametrize("case", SEEN)
def test_what_a_reviewer_must_not_overlook_is_warned_of(case: str) -> None:
    steps, expected = SEEN[case]
    subject = changed("nothing-changed", lambda content: content.update(steps=steps))
    assert list(warnings(subject)) == expected


def test_a_host_key_that_changed_is_no_other_machine() -> None:
    steps = [connect("frontend-1", "i-1 SHA256:a", "i-1 SHA256:b")]
    text = comment(changed("nothing-changed", lambda content: content.update(steps=steps)))
    assert "| `connect` | frontend-1 | another host key is demanded |" in text


TAKEN_OVER = {
    "chef-push-jobs:topology": "tier",
    "chef-push-jobs:servers": json.dumps(EXISTING["servers"]),
    **dict.fromkeys(f"chef-push-jobs:{key}" for key in ("backends", "frontends", "domain", "highAvailability")),
    "chef-push-jobs:machines": None,
    "chef-push-jobs:ssh": json.dumps({"user": "ubuntu"}),
}


@pytest.mark.parametrize("is_new", [True, False])
def test_servers_that_are_taken_over_are_warned_of_also_where_the_stack_is_new(is_new: bool) -> None:
    def take(content: Any) -> None:
        given = {**content["config"], **TAKEN_OVER}
        content["config"] = {key: value for key, value in given.items() if value is not None}
        content["steps"] = [connect("frontend-0", None, "10.0.0.5"), connect("backend-0", None, "10.0.0.4")]
        if is_new:
            content["steps"].append(step("create", "pulumi:pulumi:Stack", "s", None, {}))

    [text] = warnings(changed("package-upgraded", take))
    assert text.startswith("**Servers that exist are taken over**: backend-0, frontend-0. ")
    assert "Push jobs that is older than `opscode-push-jobs-server_2.2.8-1_amd64.deb` is upgraded" in text


def test_a_new_stack_has_nothing_to_lose_and_only_its_doors_are_told() -> None:
    def new(content: Any) -> None:
        rules = content["steps"]
        stack = {"op": "create", "urn": "urn:pulumi:sandbox::chef-push-jobs::pulumi:pulumi:Stack::s", "newState": {}}
        content["steps"] = [stack, *rules, *({**rule, "urn": f"{rule['urn']}-again"} for rule in rules)]

    [text] = warnings(changed("client-cidr-added", new))
    assert text.startswith("**The firewall lets in**:\n")
    assert text.count("\n") == 4, "what two groups have alike is told once"


def test_a_comment_that_is_too_long_for_github_leaves_the_scripts_out() -> None:
    def long(content: Any) -> None:
        for step in content["steps"]:
            if step["urn"].endswith("push-jobs-configure-backend-0"):
                step["newState"]["inputs"]["stdin"] = "x" * LIMIT

    text = comment(changed("settings-changed", long))
    assert len(text) < LIMIT
    assert "too long for a comment" in text


def test_a_preview_that_failed_is_told_with_what_it_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {"severity": "error", "message": "backends: '3': topology ha has two backends"}
    (tmp_path / "preview.json").write_text(json.dumps({"steps": [], "diagnostics": [told], "changeSummary": {}}))
    assert main(["review", "--preview", str(tmp_path / "preview.json"), "--stack", "production"]) == 1
    said = capsys.readouterr().out
    assert said.startswith(
        "<!-- chef-push-jobs: review of stack production -->\n### Stack `production`: the preview failed"
    )
    assert told["message"] in said


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("Preview failed: invalid AWS Region: us-esat-1", "correct aws:region in the stack's file, or AWS_REGION"),
        ("Preview failed: No valid credential sources found", "log in to AWS as somebody that it knows"),
        ("topology: 'x'\n     Do:   set it.", ""),
    ],
)
def test_a_preview_that_failed_is_told_with_what_to_do(error: str, remedy: str) -> None:
    text = failed("production", [error])
    assert f"```\n\nWhat to do: {remedy}" in text if remedy else "What to do" not in text


def test_what_is_no_preview_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "preview.json").write_text("Previewing update")
    assert main(["review", "--preview", str(tmp_path / "preview.json")]) == 2
    assert "error: it is not the output of `pulumi preview --json`" in capsys.readouterr().err
    with pytest.raises(PreviewError, match="its configuration is not one of this program"):
        review_of(json.dumps({"steps": [], "changeSummary": {}, "config": {"other:name": "x"}}))


def test_a_secret_that_the_preview_does_not_show_is_no_mistake_in_its_settings() -> None:
    def closed(content: Any) -> None:
        ssh = json.loads(content["config"]["chef-push-jobs:ssh"])
        content["config"] |= {"chef-push-jobs:ssh": json.dumps({**ssh, "privateKey": "[secret]"})}
        content["config"] |= {"aws:secretKey": "[secret]", "other:topology-of": "x"}

    told = comment(changed("ports-changed", closed))
    assert told.replace("| `ssh.privateKey` | not set | (secret) |\n", "") == comment(recorded("ports-changed"))


def test_the_command_writes_the_comment_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text(history_of(BEFORE))
    arguments = ["--preview", str(PREVIEWS / "ports-changed.json"), "--stack", "sandbox"]
    assert (
        main(["review", *arguments, "--history", str(tmp_path / "history.json"), "-o", str(tmp_path / "comment.md")])
        == 0
    )
    assert (tmp_path / "comment.md").read_text() == (EXAMPLES / "review-ports-changed.md").read_text()


def test_commands_of_others_and_a_bastion_are_told_of_and_are_nobodys_reason() -> None:
    def more(content: Any) -> None:
        [connect] = [step for step in content["steps"] if step["urn"].endswith("::connect-frontend-2")]
        urn = connect["urn"].replace("connect-frontend-2", "{}")
        content["steps"] += [{**connect, "urn": urn.format(name)} for name in ("connect-bastion", "backup")]

    text = comment(changed("frontend-added", more))
    assert "| `connect` | bastion | new server |" in text
    assert "| `backup` |  | new task |" in text
    assert "`connect` runs on frontend-2: a new machine has a new key" in text


def test_servers_in_a_row_are_folded() -> None:
    many = [f"frontend-{number}" for number in range(20)]
    assert listed(["backend-0", "backend-1", *many]) == "backend-0, backend-1, frontend-0 to frontend-19"


def test_servers_stand_in_the_order_in_which_people_count() -> None:
    def twelve(content: Any) -> None:
        with_settings(frontends="1")(content)
        gone = [step for step in content["steps"] if step["op"] == "delete" and "frontend-1" in step["urn"]]
        for number in (10, 2, 11, 3):
            content["steps"] += [
                {**step, "urn": step["urn"].replace("frontend-1", f"frontend-{number}")} for step in gone
            ]

    subject = changed("frontend-removed", twelve)
    assert (
        warnings(subject)[0] == "**frontend-1 to frontend-3, frontend-10, frontend-11 are deleted, with their data.**"
    )
    text = comment(subject)
    assert "| remove | machine | frontend-1 to frontend-3, frontend-10, frontend-11 |" in text


# The picture


def commands(plan: StackPlan) -> dict[str, TaskId]:
    return {str(task): task.id for task in plan.tasks.values() if task.action is Action.COMMAND}


def first_rollout(plan: StackPlan) -> PreviewReview:
    names = commands(plan)
    return PreviewReview(
        "s", plan, Preview(tuple(Change(Op.CREATE, COMMAND, n, n, after={"create": "x"}) for n in names))
    )


def closure(edges: set[tuple[Any, Any]]) -> set[tuple[Any, Any]]:
    after: dict[Any, set[Any]] = {}
    for one, other in edges:
        after.setdefault(one, set()).add(other)

    def reach(node: Any, found: set[Any]) -> set[Any]:
        for other in after.get(node, ()):
            if other not in found:
                found.add(other)
                reach(other, found)
        return found

    return {(node, other) for node in after for other in reach(node, set())}


def drawn(text: str) -> tuple[dict[str, tuple[str, str]], set[tuple[str, str]]]:
    """Nodes by id, as (box, task), and arrows."""
    nodes, box = {}, ""
    for line in text.splitlines():
        if found := re.fullmatch(r'  subgraph s\d+\["(.+)"\]', line):
            box = found[1]
        elif found := re.fullmatch(r'    (t\d+)\["(.+)"\]', line):
            nodes[found[1]] = (box, found[2])
    return nodes, set(re.findall(r"^  (t\d+) --> (t\d+)$", text, flags=re.MULTILINE))


@given(topologies(most=30))
def test_the_arrows_of_a_whole_rollout_say_what_the_plan_says(topology: Topology) -> None:
    """No more and no less, but for the order among servers that share a box."""
    plan = of(topology)
    nodes, arrows = drawn(picture.mermaid(first_rollout(plan)))
    boxes = {server.name: server.name for server in topology.backends}
    boxes |= dict.fromkeys((s.name for s in topology.frontends), listed([s.name for s in topology.frontends]))
    tasks = set(commands(plan).values())

    def node(task: TaskId) -> tuple[str, str]:
        return boxes[task.server], task.title

    planned = {(node(one), node(task)) for task in tasks for one in plan.tasks[task].depends_on if one in tasks}
    assert closure({(nodes[one], nodes[other]) for one, other in arrows}) == closure(planned)
    assert set(nodes.values()) == {node(task) for task in tasks}


@given(topologies(most=30))
def test_push_jobs_is_set_up_on_a_server_when_chef_server_is_done_there_and_no_later(topology: Topology) -> None:
    plan = of(topology)
    for server in topology.servers:
        at_first = server == topology.primary
        mine = TaskId("push-jobs", "configure" if at_first else "copy", server.name)
        chefs = TaskId("chef", "reconfigure-primary" if at_first else "reconfigure", server.name)
        assert chefs in plan.tasks[mine].depends_on
        install = plan.tasks[mine._replace(step="install")]
        assert {task.step for task in install.depends_on if task.runbook == "chef"} == {"install"}


def test_a_picture_of_many_servers_is_as_large_as_one_of_few() -> None:
    sizes = []
    for count in ("2", "20"):
        subject = changed(
            "primary-replaced",
            lambda content, count=count: content["config"].update({"chef-push-jobs:frontends": count}),
        )
        sizes.append(len(picture.mermaid(first_rollout(subject.plan)).splitlines()))
    assert sizes[0] == sizes[1]


# Policies

POLICIES = """Previewing update (sandbox):

Policies:
    ❌ chef-push-jobs@v0.1.0 (local: policy)
        - [mandatory]  ssh-from-known-networks  (aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule: in-ssh)
          SSH is open to 0.0.0.0/0

Resources:
    97 unchanged
"""


def test_a_broken_policy_is_the_first_warning_and_is_quoted() -> None:
    text = comment(recorded("client-cidr-added"), POLICIES)
    assert text.index("This violates a policy") < text.index("The firewall is widened")
    assert "SSH is open to 0.0.0.0/0\n```" in text
    assert "97 unchanged" not in text


@pytest.mark.parametrize("printed", ["", "Policies:\n    ✅ chef-push-jobs@v0.1.0 (local: policy)\n"])
def test_policies_that_are_kept_are_not_told(printed: str) -> None:
    assert comment(recorded("client-cidr-added"), printed) == comment(recorded("client-cidr-added"))
