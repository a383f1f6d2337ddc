"""Names of sandboxes and of what is in them: unambiguous, valid as namespace names, never two sandboxes' at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.paths import Sandbox, default_name


def test_the_variable_sandbox_names_it() -> None:
    assert default_name({"SANDBOX": "mine"}) == "mine"


@pytest.mark.parametrize("environment", [{}, {"SANDBOX": ""}])
def test_without_the_variable_each_clone_has_a_name_of_its_own(environment: dict[str, str]) -> None:
    one, other = (default_name(environment, Path(clone)) for clone in ("/home/a/clone", "/home/b/clone"))
    assert one != other
    assert one == default_name(environment, Path("/home/a/clone")), "always the same"
    assert Sandbox(one).name == one, "and a valid one"
    assert len(one) == 7


@pytest.mark.parametrize("name", ["", "A", "a-b", "../a", "a/b", "a b", "a\n", "abcdefghijklm", "ä"])
def test_a_name_that_could_be_taken_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be 1 to 12 lower-case letters and digits"):
        Sandbox(name)


def test_everything_of_a_run_is_below_its_directory() -> None:
    sandbox = Sandbox("mine")
    made = (sandbox.registry, sandbox.record("i-1"), sandbox.host("i-1"), sandbox.layer("base"), sandbox.state)
    files = (sandbox.agent, sandbox.agent_process, sandbox.cloud_log, sandbox.cloud_process, sandbox.cloud_ready)
    for path in (*made, *files):
        assert path.is_relative_to("/run/chef-sandbox/mine"), path


def test_the_key_and_the_packages_are_the_clones() -> None:
    sandbox = Sandbox("mine")
    clone = Path(__file__).resolve().parents[2]
    assert sandbox.operator_key == clone / ".sandbox/id_ed25519"
    assert sandbox.operator_public_key == clone / ".sandbox/id_ed25519.pub"
    assert sandbox.packages == clone / ".sandbox/packages"


def test_namespaces_are_named_by_sandbox_and_host() -> None:
    sandbox = Sandbox("mine")
    assert sandbox.router == "cpj-mine-router"
    assert sandbox.operator == "cpj-mine-operator"
    assert sandbox.namespace("i-0abc") == "cpj-mine-i-0abc"
    assert str(sandbox.namespace_path(sandbox.router)) == "/run/netns/cpj-mine-router"


def test_no_sandbox_finds_anothers_namespaces_as_its_own() -> None:
    assert not Sandbox("mine2").namespace("host").startswith(Sandbox("mine").namespace_prefix)


@pytest.mark.parametrize("host_id", ["", "../x", "a/b", "a b", "-a", "A", "a" * 64])
def test_a_host_id_that_is_no_file_name_of_its_own_is_refused(host_id: str) -> None:
    with pytest.raises(ValueError, match="host id"):
        Sandbox("mine").namespace(host_id)


@pytest.mark.parametrize("host_id", ["router", "operator"])
def test_a_host_cannot_take_the_sandboxs_own_namespaces(host_id: str) -> None:
    with pytest.raises(ValueError, match="is the sandbox's own"):
        Sandbox("mine").namespace(host_id)
