"""How the YAML language host is found or built; with a PATH and a cache of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.operator import engine, yaml_language_host
from sandbox.paths import cache
from tests.unit.test_engine import tool


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache that holds the CLI alone, and no tools but those of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("SANDBOX_PLUGINS", "stand-in")
    tool(cache() / f"pulumi-v{engine.VERSION}", "pulumi", f"echo v{engine.VERSION}")


def test_it_is_built_once_beside_the_cli(tmp_path: Path) -> None:
    script = f'echo built >> {tmp_path}/builds; while [ "$1" != -o ]; do shift; done; echo host > "$2"'
    tool(tmp_path / "bin", "go", script)
    assert (
        yaml_language_host.install()
        == yaml_language_host.install()
        == engine.find().pulumi.parent / "pulumi-language-yaml"
    )
    assert (tmp_path / "builds").read_text() == "built\n"
    assert [file.name for file in sorted(engine.find().pulumi.parent.iterdir())] == ["pulumi", "pulumi-language-yaml"]


def test_the_one_of_a_release_is_used() -> None:
    release = tool(engine.find().pulumi.parent, "pulumi-language-yaml", "true")
    assert yaml_language_host.install() == release


def test_without_go_it_says_what_to_install() -> None:
    with pytest.raises(engine.EngineError, match=r"install Pulumi's release, or Go 1\.26"):
        yaml_language_host.install()


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    tool(tmp_path / "bin", "go", "exit 1")
    with pytest.raises(engine.EngineError, match="could not be built"):
        yaml_language_host.install()
    assert [file.name for file in engine.find().pulumi.parent.iterdir()] == ["pulumi"]
