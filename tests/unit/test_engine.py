"""How the engine is found or got; with a PATH, a cache and a release server of the test's own."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import platform
import tarfile
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from sandbox.operator import engine


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cache, no home, no tools but the shell's, and no release server."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("SANDBOX_PLUGINS", raising=False)
    monkeypatch.setattr(engine, "RELEASES", "http://127.0.0.1:1/none")
    (tmp_path / "bin").mkdir()


def tool(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("told", "used"), [("v3.259.0", True), ("v4.0.0", True), ("v3.258.9", False), ("?", False)])
def test_an_installed_engine_is_used_if_it_is_new_enough(told: str, used: bool, tmp_path: Path) -> None:
    pulumi = tool(tmp_path / "bin", "pulumi", f"echo {told}")
    if used:
        assert engine.find().pulumi == pulumi
    else:
        with pytest.raises(engine.EngineError, match="run scripts/up"):
            engine.find()


def test_without_engine_download_and_go_it_says_what_to_install() -> None:
    with pytest.raises(engine.EngineError, match=r"Install Pulumi .* or Go 1\.26"):
        engine.install()


def test_the_engine_is_built_once_and_then_found(tmp_path: Path) -> None:
    script = f'echo built >> {tmp_path}/builds; while [ "$1" != -o ]; do shift; done; echo "#!/bin/sh" > "$2"; '
    tool(tmp_path / "bin", "go", script + 'echo "echo v3.259.0" >> "$2"; /bin/chmod +x "$2"')
    first, second = engine.install(), engine.install()
    assert first == second
    assert first.pulumi == tmp_path / "cache/chef-push-jobs/pulumi-v3.259.0/pulumi"
    assert (tmp_path / "builds").read_text() == "built\n"


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    tool(tmp_path / "bin", "go", "exit 1")
    with pytest.raises(engine.EngineError, match="could not be built"):
        engine.install()
    assert list((tmp_path / "cache/chef-push-jobs").iterdir()) == []


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a release server on loopback, with an archive and its checksums in it."""
    folder = tmp_path / "release"
    folder.mkdir()
    archive = folder / "pulumi-v3.259.0-linux-x64.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("pulumi", "pulumi-language-python"):
            member = tarfile.TarInfo(f"pulumi/{name}")
            content = b"#!/bin/sh\necho v3.259.0\n"
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    (folder / "pulumi-3.259.0-checksums.txt").write_text(f"{digest}  {archive.name}\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(engine, "RELEASES", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(platform, "machine", lambda: "x86_64")
        yield folder
        server.shutdown()


def test_the_official_release_is_used_where_its_checksum_is_right(release: Path, tmp_path: Path) -> None:
    got = engine.install()
    assert got.pulumi == tmp_path / "cache/chef-push-jobs/pulumi-v3.259.0/pulumi"
    assert os.access(got.pulumi.parent / "pulumi-language-python", os.X_OK)


def test_a_release_with_another_checksum_is_refused(release: Path, tmp_path: Path) -> None:
    (release / "pulumi-3.259.0-checksums.txt").write_text(f"{'0' * 64}  pulumi-v3.259.0-linux-x64.tar.gz\n")
    with pytest.raises(engine.EngineError, match="does not match its published checksum"):
        engine.install()


def official_plugins(home: Path) -> None:
    for name, package in engine.RESOURCE_PLUGINS.items():
        (home / ".pulumi/plugins" / f"resource-{name}-v{version(package)}").mkdir(parents=True)


def test_the_official_plugins_are_used_where_all_are_there(tmp_path: Path) -> None:
    tool(tmp_path / "bin", "pulumi", "echo v3.259.0")
    tool(tmp_path / "bin", "pulumi-language-python", "")
    official_plugins(tmp_path)
    found = engine.find()
    assert found.official == tmp_path / "bin"
    assert "PULUMI_HOME" not in found.environment(tmp_path)


def test_the_stand_ins_are_used_where_one_official_plugin_is_missing(tmp_path: Path) -> None:
    tool(tmp_path / "bin", "pulumi", "echo v3.259.0")
    official_plugins(tmp_path)
    found = engine.find()
    assert found.official is None
    assert found.environment(tmp_path)["PATH"].startswith(str(engine.STAND_INS))


def test_a_switch_forces_the_stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tmp_path / "bin", "pulumi", "echo v3.259.0")
    tool(tmp_path / "bin", "pulumi-language-python", "")
    official_plugins(tmp_path)
    monkeypatch.setenv("SANDBOX_PLUGINS", "stand-in")
    assert engine.find().official is None


def test_a_switch_forces_the_official_plugins_and_names_those_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path / "bin", "pulumi", "echo v3.259.0")
    monkeypatch.setenv("SANDBOX_PLUGINS", "official")
    with pytest.raises(engine.EngineError, match="missing: pulumi-language-python, command, aws"):
        engine.find()


def test_another_word_for_the_switch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_PLUGINS", "fake")
    with pytest.raises(engine.EngineError, match="'fake'; it is one of auto, official, stand-in"):
        engine.choice()
