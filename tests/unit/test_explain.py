"""What is derived from the settings: the page, the schema for editors, and the explanation of a stack's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from chef_push_jobs.cli.app import main
from chef_push_jobs.cli.check.explained import as_text
from chef_push_jobs.cli.docs.derived import derived
from chef_push_jobs.config import stack_files
from chef_push_jobs.config.editor_schema import for_editors
from chef_push_jobs.config.explanation import Explanation, explain
from chef_push_jobs.config.setting_list import settings
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.config.stack_config import StackConfig
from chef_push_jobs.config.stack_files import Configuration, StackFileError
from chef_push_jobs.model.problems import report
from chef_push_jobs.runbook.plan import adjustable
from chef_push_jobs.runbook.stack import load_stack
from tests.unit.clusters import raw

ROOT = Path(__file__).parents[2]
PROJECT = stack_files.project(ROOT)
STACKS = sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))
KEYS = {"timeLimits": adjustable()}
SCHEMA = jsonschema.Draft7Validator(for_editors(PROJECT, KEYS))


@pytest.mark.parametrize("name", derived(ROOT))
def test_what_is_derived_from_the_settings_is_not_stale(name: str) -> None:
    assert (ROOT / name).read_text() == derived(ROOT)[name], f"{name} is stale: chef-push-jobs docs"


def fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """All settings by path, from the models themselves."""
    for field in model.model_fields.values():
        at = f"{path}{field.alias}"
        parts = [part for one in (field.annotation, *get_args(field.annotation)) for part in (one, *get_args(one))]
        section = next((one for one in parts if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if section is None:
            yield at, field
        else:
            listed = "list" in str(field.annotation)
            yield from [(at, field)] if listed else []
            yield from fields(section, f"{at}[]." if listed else f"{at}.")


def test_every_setting_is_explained_with_its_own_words() -> None:
    found = {one.path: one.description for one in settings()}
    assert found == {path: field.description for path, field in fields(StackConfig)}
    assert all(found.values()), "a setting without description explains nothing"


def test_what_a_value_must_be_is_told_with_the_setting() -> None:
    rules = {one.path: one.rule for one in settings()}
    assert rules["ssh.port"] == "a port is a whole number from 1 to 65535"
    assert rules["machines.volumeSize"] == "8 to 16384"
    assert rules["clientCidrs"].startswith("at least 1; each: it must be an IPv4 network")
    needed = {one.path: one.needed for one in settings() if one.needed}
    assert needed["topology"] == "always"
    assert needed["ssh.proxy.host"] == "ssh.proxy"
    assert [one.path for one in settings() if one.secret] == ["ssh.privateKey"]


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(for_editors(PROJECT, KEYS))


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.name)
def test_every_stack_is_as_the_schema_says_and_names_it_for_editors(path: Path) -> None:
    found = [error.message for error in SCHEMA.iter_errors(yaml.safe_load(path.read_text()))]
    assert not found
    assert path.read_text().startswith("# yaml-language-server: $schema=schema.json\n")


def changed(**changes: Any) -> dict[str, Any]:
    """A good stack file with other settings; None takes one out."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "stacks" / "Pulumi.example-aws.yaml").read_text())
    for name, value in changes.items():
        content["config"][f"{PROJECT}:{name}"] = value
        if value is None:
            del content["config"][f"{PROJECT}:{name}"]
    return content


@pytest.mark.parametrize(
    "changes",
    [
        {"topology": "cluster"},
        {"topology": None},
        {"frontend": "2"},
        {"frontends": "many"},
        {"frontends": 1001},
        {"clientCidrs": []},
        {"ssh": {"usr": "ubuntu"}},
        {"ssh": {"user": "a;b"}},
        {"ssh": {"port": 70000}},
        {"timeLimits": {"instal": 5}},
        {"machines": {"architecture": "sparc"}},
        {"servers": [{"name": "a", "fqdn": "a.test"}]},
        {"pushJobs": {"package": {"url": {"secret": "x"}}}},
        {"chefServer": {"settings": {"Bad-Key": "x"}}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_program_refuses(changes: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(changed(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"frontends": 2, "allowClientsFromAnywhere": True},
        {"frontends": "2", "allowClientsFromAnywhere": "true"},
        {"timeLimits": {"install": 5, "connect": "600"}},
        {"ssh": {"privateKey": {"secure": "v1:abc:def"}, "keyName": "k"}},
        {"pushJobs": {"package": {"file": "a.deb"}, "settings": {"heartbeat_interval": 1000, "verbose": True}}},
        {"servers": [{"name": "a", "fqdn": "a.test", "role": "backend", "address": "10.0.0.4"}]},
        {"tags": {"team": "web"}, "repair": {"connect-a": "x1"}},
    ],
    ids=str,
)
def test_the_schema_takes_what_the_program_takes(changes: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(changed(**changes)), list(SCHEMA.iter_errors(changed(**changes)))


def configuration(**changes: Any) -> Configuration:
    return Configuration(PROJECT, {f"{PROJECT}:{name}": value for name, value in raw(changes).items()})


def explained(given: Configuration) -> Explanation:
    try:
        load_stack(given, ROOT)
    except SettingsError as error:
        return explain("s", given, error.problems)
    return explain("s", given)


def test_each_value_is_told_with_where_it_comes_from() -> None:
    found = explained(configuration(frontends="3"))
    assert "frontends: 3  [stack file]\n    Number of frontends." in as_text(found)
    assert "vpcCidr: 10.0.0.0/16  [default]" in as_text(found)
    assert "ssh.proxy.host: not set" in as_text(found)
    assert not found.problems


def test_all_problems_are_told_beside_the_values() -> None:
    found = explained(configuration(frontends="many", colour="blue", repair={"xyzzy": "1a"}))
    assert report(found.problems).startswith("2 problems in the stack's settings; nothing was changed.")
    assert "frontends: many  [stack file]" in as_text(found)


def test_a_private_key_is_not_shown_even_where_it_stands_in_clear_text() -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc"
    given = configuration(ssh={"keyName": "k", "privateKey": key})
    assert "abc" not in as_text(explained(given)) + report(explained(given).problems)
    assert "ssh.privateKey: (a secret, in clear text: set it with --secret)" in as_text(explained(given))
    with pytest.raises(SettingsError) as error:
        load_stack(replace(given, values={**given.values, f"{PROJECT}:ssh": '{"privateKey": "abcd"}'}), ROOT)
    assert "abcd" not in str(error.value)


def test_the_command_ends_with_1_where_there_are_problems_and_2_where_there_is_no_stack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert main(["check", "--stack", "example-aws"]) == 0
    assert "topology: ha  [stack file]" in capsys.readouterr().out
    assert main(["check", "--stack", "none"]) == 2
    assert "the stacks are example-aws, existing" in capsys.readouterr().err
    project(tmp_path, "topology: cluster")
    monkeypatch.chdir(tmp_path)
    assert main(["check", "--stack", "s"]) == 1
    assert "it is one of 'standalone', 'tier' or 'ha'" in capsys.readouterr().err


def project(folder: Path, *settings: str) -> None:
    """A project with a stack s."""
    (folder / "Pulumi.yaml").write_text("name: p\nruntime: python\nstackConfigDir: stacks\n")
    (folder / "stacks").mkdir()
    lines = "".join(f"  p:{setting}\n" for setting in settings)
    (folder / "stacks" / "Pulumi.s.yaml").write_text(f"config:\n  aws:region: x\n{lines}")


def test_a_stack_file_is_read_as_the_engine_gives_it_with_secrets_left_closed(tmp_path: Path) -> None:
    closed = "{secure: 'v1:abc'}"
    project(tmp_path, "a: 3", "b: true", "c: '3'", "d: [1, x]", f"e: {{f: {closed}, g: 1}}", f"h: {closed}")
    found = stack_files.read_configuration("s", tmp_path)
    assert found.own == {"a": "3", "b": "true", "c": "3", "d": '[1, "x"]', "e": '{"g": 1}'}
    assert found.secrets == ("e.f", "h")
    assert found.values["aws:region"] == "x"


def test_a_secret_of_a_provider_is_not_this_projects_to_refuse(tmp_path: Path) -> None:
    """Such as the key that Pulumi itself would have one keep as `pulumi config set --secret aws:secretKey`."""
    text = (ROOT / "stacks" / "Pulumi.example-aws.yaml").read_text()
    file = tmp_path / "Pulumi.s.yaml"
    file.write_text(text.replace("config:\n", "config:\n  aws:secretKey:\n    secure: v1:AAAA\n", 1))
    found = stack_files.read_configuration("s", ROOT, file)
    assert "aws:secretKey" not in found.values
    assert load_stack(found, ROOT, files=False)


@pytest.mark.parametrize("secret", ["tags", "pushJobs.package.url"])
def test_a_secret_that_would_not_be_kept_as_one_is_refused_with_all_other_problems(secret: str) -> None:
    given = configuration(frontends="many")
    with pytest.raises(SettingsError) as error:
        load_stack(replace(given, secrets=(secret, "ssh.privateKey")), ROOT, files=False)
    assert [problem.setting for problem in error.value.problems] == [secret, "frontends"]
    with pytest.raises(SettingsError) as error:
        load_stack(replace(configuration(), secrets=(secret,)), ROOT, files=False)
    assert [problem.given for problem in error.value.problems] == ["a secret"]
    assert load_stack(replace(configuration(), secrets=("ssh.privateKey",)), ROOT, files=False)


def test_a_stack_file_that_is_none_is_refused(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "stacks" / "Pulumi.s.yaml").write_text("a: [")
    with pytest.raises(StackFileError, match=r"Pulumi\.s\.yaml cannot be read"):
        stack_files.read_configuration("s", tmp_path)
