"""The shell in which the commands of the documents are typed is the reader's own."""

from __future__ import annotations

import pytest

from tests.e2e.desk import LOGIN_PATH, login

OF_THE_TESTS = {
    "PATH": "/project/.venv/bin:/opt/go/bin:/usr/bin",
    "VIRTUAL_ENV": "/project/.venv",
    "PYTHONPATH": "/project",
    "PULUMI_ACCESS_TOKEN": "secret",
    "AWS_PROFILE": "production",
    "STACK": "production",
}


@pytest.mark.parametrize("name", sorted(OF_THE_TESTS.keys() - {"PATH"}))
def test_a_readers_shell_has_nothing_of_whoever_runs_the_tests(name: str) -> None:
    assert name not in login(OF_THE_TESTS)


def test_a_readers_path_is_that_of_a_login() -> None:
    assert login(OF_THE_TESTS)["PATH"] == LOGIN_PATH


@pytest.mark.parametrize("name", ["HOME", "TERM", "https_proxy", "PIP_INDEX_URL", "SSL_CERT_FILE", "SANDBOX_PULUMI"])
def test_a_readers_shell_has_what_a_login_gives_and_the_way_to_registries(name: str) -> None:
    assert login({name: "x"})[name] == "x"
