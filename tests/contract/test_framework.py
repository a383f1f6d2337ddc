"""What every stand-in plugin does by being a table: seen with a toy plugin, through gRPC."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc  # type: ignore[import-untyped]  # publishes no types
import pytest
from pulumi.runtime.proto import provider_pb2, status_pb2

from tests.contract.conftest import REPOSITORY
from tests.contract.plugin import UNKNOWN, PluginUnderTest, Refused, is_secret, plain, secret, struct

BOX = "index:Box"


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PluginUnderTest]:
    launcher = tmp_path_factory.mktemp("toy") / "pulumi-resource-toy"
    launcher.write_text(f'#!/bin/sh\ncd {REPOSITORY} && exec {sys.executable} -m tests.contract.toy_plugin "$@"\n')
    launcher.chmod(0o755)
    running = PluginUnderTest(str(launcher), "toy")
    yield running
    running.stop()


class TestChecks:
    def test_a_generated_default_is_kept_for_life_and_a_plain_one_filled_in(self, toy: PluginUnderTest) -> None:
        first = toy.checked(BOX, {"size": 1})
        assert first["name"].startswith("it-")
        assert first["colour"] == "grey"
        assert plain(toy.check(BOX, {"size": 2}, olds=first).inputs)["name"] == first["name"]

    def test_all_problems_come_at_once_each_with_its_path(self, toy: PluginUnderTest) -> None:
        failures = toy.check(BOX, {"size": "large", "tags": [1], "lock": {"colour": "red"}, "lid": True}).failures
        assert sorted(failure.property for failure in failures) == ["lid", "lock.colour", "size", "tags[0]"]

    def test_the_rows_own_check_is_asked_when_the_rest_is_right(self, toy: PluginUnderTest) -> None:
        assert [failure.reason for failure in toy.check(BOX, {"size": 0}).failures] == ["a box has a size"]

    def test_an_unknown_value_is_of_every_kind(self, toy: PluginUnderTest) -> None:
        assert not toy.check(BOX, {"size": 1, "tags": UNKNOWN, "lock": UNKNOWN}).failures

    def test_a_declared_secret_is_marked_where_it_is(self, toy: PluginUnderTest) -> None:
        lock = toy.checked(BOX, {"size": 1, "lock": {"code": "1234"}})["lock"]
        assert is_secret(lock["code"])
        assert lock["kind"] == "pin"


class TestDiffs:
    @pytest.mark.parametrize(
        ("news", "diffs", "replaces"),
        [
            ({"size": 2}, ["size"], []),
            ({"name": "m"}, ["name"], ["name"]),
            ({"colour": "red"}, ["colour"], []),
            ({"colour": "red", "size": 60}, ["colour", "size"], ["colour"]),
            ({"tags": ["b", "a"]}, [], []),
            ({"tags": ["a", "c"]}, ["tags"], []),
        ],
    )
    def test_each_property_decides_for_itself(
        self, toy: PluginUnderTest, news: dict[str, object], diffs: list[str], replaces: list[str]
    ) -> None:
        olds = {"size": 1, "name": "n", "colour": "grey", "tags": ["a", "b"]}
        answer = toy.diff(BOX, olds, {**olds, **news})
        assert (sorted(answer.diffs), sorted(answer.replaces)) == (diffs, replaces)


class TestLives:
    def test_whole_numbers_are_int_and_secrets_are_plain_to_a_function(self, toy: PluginUnderTest) -> None:
        _, outputs = toy.create(BOX, {"size": secret(3), "name": "n"})
        assert outputs["volume"] == 27
        assert is_secret(outputs["size"]), "and a secret again on the way out"
        assert is_secret(outputs["key"]), "declared"

    def test_a_preview_calls_no_function(self, toy: PluginUnderTest) -> None:
        id, outputs = toy.create(BOX, {"size": 99, "name": "n"}, preview=True)
        assert id == ""
        assert (outputs["serial"], outputs["size"]) == (UNKNOWN, 99)

    def test_a_previewed_update_knows_all_but_the_volatile(self, toy: PluginUnderTest) -> None:
        olds = {"size": 1, "name": "n", "serial": "BOX-0", "volume": 1, "colour": "grey"}
        previewed = toy.update(BOX, olds, {"size": 2, "name": "n"}, preview=True)
        assert (previewed["size"], previewed["serial"], previewed["volume"]) == (2, "BOX-0", UNKNOWN)
        assert toy.update(BOX, olds, {**olds, "serial": None, "volume": None}, preview=True)["volume"] == 1
        assert "colour" not in previewed, "an input that is gone is gone from the state"

    def test_reading_gives_the_inputs_that_were_set_in_their_old_order(self, toy: PluginUnderTest) -> None:
        inputs = {"size": 1, "name": "n", "tags": ["a", "b", "c"]}
        id, state = toy.create(BOX, {**inputs, "colour": "somebody painted it"})
        answer = toy.read(BOX, id, state, inputs)
        assert plain(answer.inputs) == inputs
        assert plain(answer.properties)["serial"] == id.upper()

    def test_importing_gives_every_input(self, toy: PluginUnderTest) -> None:
        id, _ = toy.create(BOX, {"size": 1, "name": "n"})
        assert plain(toy.read(BOX, id, {}, {}).inputs)["name"] == "n"

    def test_what_is_gone_is_read_as_an_empty_id(self, toy: PluginUnderTest) -> None:
        id, state = toy.create(BOX, {"size": 1, "name": "n"})
        toy._ask("Delete", provider_pb2.DeleteRequest(**toy._about(BOX, "it"), id=id, properties=struct(state)))
        assert toy.read(BOX, id, state, {"size": 1}).id == ""


class TestFailures:
    def test_a_known_failure_is_its_sentence(self, toy: PluginUnderTest) -> None:
        with pytest.raises(Refused) as refused:
            toy.create(BOX, {"size": 91})
        assert refused.value.message == "no box is that large"

    def test_a_mistake_in_a_plugin_is_one_line_with_its_place(self, toy: PluginUnderTest) -> None:
        with pytest.raises(Refused) as refused:
            toy.create(BOX, {"size": 81})
        assert "the stand-in for pulumi-toy failed: KeyError: 'a mistake' (toy_plugin.py:" in refused.value.message
        assert "\n" not in refused.value.message

    def test_what_was_made_in_spite_of_a_failure_is_kept(self, toy: PluginUnderTest) -> None:
        with pytest.raises(Refused, match="made, but it does not close") as refused:
            toy.create(BOX, {"size": 71, "name": "n"})
        status: Any = status_pb2.Status.FromString(refused.value.details)
        kept = provider_pb2.ErrorResourceInitFailed()
        assert status.details[0].Unpack(kept)
        assert kept.id.startswith("box-")
        assert list(kept.reasons) == ["made, but it does not close"]
        assert plain(kept.properties)["serial"] == kept.id.upper()
        assert plain(kept.inputs) == {"size": 71, "name": "n"}

    @pytest.mark.parametrize(
        ("method", "request_"),
        [
            ("GetSchema", provider_pb2.GetSchemaRequest()),
            ("Construct", provider_pb2.ConstructRequest()),
            ("Call", provider_pb2.CallRequest()),
            ("Parameterize", provider_pb2.ParameterizeRequest()),
        ],
    )
    def test_what_the_framework_leaves_out_is_refused(self, toy: PluginUnderTest, method: str, request_: Any) -> None:
        with pytest.raises(Refused, match="the stand-in for pulumi-toy") as refused:
            toy._ask(method, request_)
        assert refused.value.code == grpc.StatusCode.UNIMPLEMENTED


class TestConfiguration:
    def config(self, method: str, **values: Any) -> Any:
        kind = provider_pb2.CheckRequest if method == "CheckConfig" else provider_pb2.DiffRequest
        return kind(urn="urn:pulumi:dev::test::pulumi:providers:toy::default", **values)

    def test_nested_values_are_read_from_their_json(self, toy: PluginUnderTest) -> None:
        toy.configure({"endpoints": '[{"ec2":"http://127.0.0.1"}]', "strict": "true", "version": "1.0.0"})
        answer = plain(getattr(toy.invoke("index:config", {}), "return"))
        assert answer == {"endpoints": [{"ec2": "http://127.0.0.1"}], "strict": True}

    def test_an_unknown_option_is_refused_by_name(self, toy: PluginUnderTest) -> None:
        news = struct({"regoin": "x", "strict": "maybe", "version": "1.0.0"})
        failures = toy._ask("CheckConfig", self.config("CheckConfig", news=news)).failures
        assert sorted(failure.property for failure in failures) == ["regoin", "strict"]

    def test_another_configuration_is_some_difference_and_the_same_is_none(self, toy: PluginUnderTest) -> None:
        old, new = struct({"region": "a", "version": "1"}), struct({"region": "b", "version": "1"})
        some = toy._ask("DiffConfig", self.config("DiffConfig", olds=old, old_inputs=old, news=new))
        none = toy._ask("DiffConfig", self.config("DiffConfig", olds=old, news=old))
        assert (some.changes, list(some.diffs)) == (provider_pb2.DiffResponse.DIFF_SOME, ["region"])
        assert none.changes == provider_pb2.DiffResponse.DIFF_NONE


class TestFunctions:
    def test_a_function_gets_its_arguments(self, toy: PluginUnderTest) -> None:
        assert plain(getattr(toy.invoke("index:double", {"n": 4}), "return")) == {"twice": 8}

    def test_a_missing_argument_is_a_failure(self, toy: PluginUnderTest) -> None:
        assert [failure.property for failure in toy.invoke("index:double", {}).failures] == ["n"]


def test_a_plugin_starts_without_what_is_slow_to_load() -> None:
    program = "import sys, sandbox.plugins.command.plugin; print({'asyncssh', 'pulumi'} & set(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    assert loaded == "set()\n", "each of them costs more than all the rest"
