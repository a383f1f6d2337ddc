"""The component package: its schema says what the settings say, and its arguments are checked as theirs are."""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pydantic import BaseModel

from chef_push_jobs.config.package_schema import NAME, OUTPUTS, TOKEN, schema
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.config.stack_config import StackConfig
from chef_push_jobs.runbook.stack import load_settings
from components.cluster import ChefPushJobsCluster, plan_of
from tests.unit.clusters import DEFAULTS, ROOT, raw

CLONE = Path(__file__).resolve().parents[2]
PROVIDER = CLONE / "provider"
SCHEMA = schema()
COMPONENT = SCHEMA["resources"][TOKEN]


def test_the_engine_installs_the_provider_into_an_environment_that_is_the_providers_own() -> None:
    """It has pip upgrade what is there: in the project's, a run could find other packages than the one before."""
    description = yaml.safe_load((PROVIDER / "PulumiPlugin.yaml").read_text())
    environment = PROVIDER / description["runtime"]["options"]["virtualenv"]
    assert environment.resolve().parent == PROVIDER
    assert "-r ../requirements.txt" in (PROVIDER / "requirements.txt").read_text()


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The models of all sections, however deep."""
    for field in model.model_fields.values():
        for found in nested(field.annotation):
            yield found
            yield from sections(found)


def nested(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from nested(argument)


def test_every_setting_is_an_input_with_its_description_and_its_need() -> None:
    assert {SCHEMA["types"][f"{NAME}:index:{each.__name__}"]["type"] for each in sections(StackConfig)} == {"object"}
    pairs: list[tuple[type[BaseModel], Any, Any]] = [
        (StackConfig, COMPONENT["inputProperties"], COMPONENT["requiredInputs"])
    ]
    for each in sections(StackConfig):
        found = SCHEMA["types"][f"{NAME}:index:{each.__name__}"]
        pairs.append((each, found["properties"], found["required"]))
    for model, properties, required in pairs:
        fields = {str(field.alias): field for field in model.model_fields.values()}
        assert set(properties) == set(fields), model
        assert set(required) == {name for name, field in fields.items() if field.is_required()}, model
        for name, field in fields.items():
            assert properties[name]["description"].startswith(field.description or "?"), f"{model.__name__}.{name}"


def values(node: Any, key: str) -> Iterator[Any]:
    """Everything under a key, anywhere in the schema."""
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == key)
        for value in node.values():
            yield from values(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from values(value, key)


def test_every_type_that_is_referred_to_is_there_and_none_besides() -> None:
    references = {reference for reference in values(SCHEMA, "$ref") if reference.startswith("#")}
    assert references == {f"#/types/{name}" for name in SCHEMA["types"]}


def test_a_default_is_told_and_not_set() -> None:
    """An SDK would send it, and a setting that does not fit would then be refused though nobody gave it."""
    assert not list(values(SCHEMA, "default"))
    assert COMPONENT["inputProperties"]["vpcCidr"]["description"].endswith("Default: 10.0.0.0/16.")


def test_the_values_of_a_choice_are_told() -> None:
    machines = SCHEMA["types"][f"{NAME}:index:Machines"]["properties"]
    assert "One of amd64, arm64." in machines["architecture"]["description"]


def test_every_output_is_documented_and_an_attribute_in_python() -> None:
    attributes = {name for name, value in vars(ChefPushJobsCluster).items() if isinstance(value, property)}
    assert attributes == set(COMPONENT["properties"]) == set(OUTPUTS)
    assert all(output["description"] for output in OUTPUTS.values())
    server = SCHEMA["types"][f"{NAME}:index:Server"]["properties"]
    assert all(field["description"] for field in server.values())


def test_inputs_are_plain_since_they_decide_what_is_made() -> None:
    assert all(value["plain"] is True for value in COMPONENT["inputProperties"].values())


def as_sent(value: Any) -> Any:
    """The engine's protocol has no whole numbers."""
    if isinstance(value, dict):
        return {key: as_sent(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_sent(inner) for inner in value]
    return float(value) if type(value) is int else value


def test_arguments_make_the_same_settings_as_a_stack_file() -> None:
    given = {**DEFAULTS, "timeLimits": {"install": 60}, "machines": {"volumeSize": 50}}
    given["pushJobs"] = {**given["pushJobs"], "settings": {"heartbeat_interval": 500, "whatever": True}}
    expected = load_settings(raw(given), ROOT)
    assert plan_of(given, ROOT) == expected
    sent = as_sent({**given, "backends": 2, "frontends": 2, "domain": "chef.test", "vpcCidr": None})
    assert plan_of(sent, ROOT) == expected


def test_both_examples_are_the_same_cluster_and_have_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with one is seen here in no time, before both are previewed on the sandbox."""
    written = yaml.safe_load((CLONE / "examples" / "yaml" / "Pulumi.yaml").read_text())
    in_yaml = written["resources"]["chef"]["properties"]
    given: list[dict[str, Any]] = []

    class Taken:
        servers = test = None

        def __init__(self, _: str, args: dict[str, Any]) -> None:
            given.append(args)

    monkeypatch.setattr("components.cluster.ChefPushJobsCluster", Taken)
    monkeypatch.setitem(sys.modules, "chef_push_jobs.components.cluster", sys.modules["components.cluster"])
    monkeypatch.setattr(pulumi, "export", lambda *_: None)
    runpy.run_path(str(CLONE / "examples" / "python" / "cluster.py"))
    assert given == [in_yaml]
    assert plan_of(in_yaml, CLONE).tasks


@pytest.mark.parametrize("wrong", [{"topology": "cluster"}, {"vpcCidr": "10.0.0.0/8", "domian": "x"}, {"ssh": {}}])
def test_mistakes_are_told_as_a_stack_files(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as expected:
        load_settings(raw(wrong), ROOT)
    with pytest.raises(pulumi.RunError) as told:
        plan_of({**DEFAULTS, **wrong}, ROOT)
    assert str(told.value) == str(expected.value)


def test_values_that_are_known_later_are_refused_however_deep() -> None:
    async def program() -> None:
        later = pulumi.Output.from_input("chef.test")
        given = {**DEFAULTS, "domain": later, "ssh": {"privateKey": later}, "clientCidrs": [later]}
        with pytest.raises(pulumi.RunError) as error:
            plan_of(given, ROOT)
        assert str(error.value).startswith("domain, clientCidrs[0], ssh.privateKey: a secret, or only known after")

    asyncio.run(program())


def test_the_schema_is_json() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
