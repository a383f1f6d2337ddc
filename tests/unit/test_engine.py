"""How engine and plugins are found, got and kept; with PATH, cache, home and release server of the test's own."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import os
import platform
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from sandbox.cache import cache
from sandbox.operator import engine, plugins, releases, versions
from sandbox.operator.plugins import AWS, COMMAND, LANGUAGE_HOST, PLUGINS, STAND_INS, EngineError, Plugin

ENGINE = f"v{engine.VERSION}"
SDK = version("pulumi")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cache, no home, no tools but the shell's, and no release server."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("SANDBOX_PLUGINS", "SANDBOX_PULUMI", "PULUMI_HOME", *(each.variable for each in PLUGINS)):
        monkeypatch.delenv(name, raising=False)
    served_from("http://127.0.0.1:1/none", monkeypatch)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    (tmp_path / "bin").mkdir()


def served_from(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "RELEASES", url)
    for plugin in (COMMAND, AWS):
        monkeypatch.setitem(plugin.__dict__, "releases", url)


def tool(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def official_host(folder: Path, told: str = SDK) -> Path:
    tool(folder, "pulumi-language-python-exec", "")
    return tool(folder, "pulumi-language-python", f"echo v{told}")


def official(plugin: Plugin, folder: Path) -> Path:
    """An installed one."""
    return tool(folder / "plugins" / plugin.folder, plugin.file, "")


def older(number: str) -> str:
    major, minor, _ = plugins.numbers(number)
    return f"{major}.{minor - 1}.99"


class TestCli:
    @pytest.mark.parametrize(
        ("told", "used"), [(f"v{SDK}", True), ("v4.0.0", True), (f"v{older(SDK)}", False), ("?", False)]
    )
    def test_an_installed_one_is_used_unless_it_is_older_than_the_sdk(
        self, told: str, used: bool, tmp_path: Path
    ) -> None:
        pulumi = tool(tmp_path / "bin", "pulumi", f"echo {told}")
        if used:
            assert engine.find().pulumi == pulumi
        else:
            with pytest.raises(EngineError, match="run scripts/up"):
                engine.find()

    def test_asking_for_its_version_leaves_nothing_in_the_users_home(self, tmp_path: Path) -> None:
        tool(tmp_path / "bin", "pulumi", f': > "${{PULUMI_HOME:-$HOME}}/a-log"; echo v{SDK}')
        engine.find()
        assert not [*tmp_path.glob("a-log"), *tmp_path.glob(".pulumi/*")]

    def test_without_engine_download_and_go_it_says_what_to_install(self) -> None:
        with pytest.raises(EngineError, match=r"Install Pulumi .* or Go 1\.26"):
            engine.install()

    def test_it_is_built_once_and_then_found(self, tmp_path: Path) -> None:
        script = f'echo built >> {tmp_path}/builds; while [ "$1" != -o ]; do shift; done; echo "#!/bin/sh" > "$2"; '
        tool(tmp_path / "bin", "go", script + f'echo "echo {ENGINE}" >> "$2"; /bin/chmod +x "$2"')
        first, second = engine.install(), engine.install()
        assert first == second
        assert first.pulumi == cache() / f"pulumi-{ENGINE}-built/pulumi"
        assert (tmp_path / "builds").read_text() == "built\n"

    def test_a_build_that_fails_leaves_nothing_behind(self, tmp_path: Path) -> None:
        tool(tmp_path / "bin", "go", "exit 1")
        with pytest.raises(EngineError, match="could not be built"):
            engine.install()
        assert [file.name for file in cache().iterdir() if not file.name.endswith(".not-to-be-had")] == []


Answer = Callable[[http.server.BaseHTTPRequestHandler, bytes], None]


def whole(handler: http.server.BaseHTTPRequestHandler, content: bytes) -> None:
    handler.wfile.write(content)


def steady(handler: http.server.BaseHTTPRequestHandler, content: bytes) -> None:
    """Longer than a stall in all, and never less than the least."""
    for at in range(0, len(content), 4096):
        handler.wfile.write(content[at : at + 4096])
        time.sleep(0.02)


def broken_off(handler: http.server.BaseHTTPRequestHandler, content: bytes) -> None:
    handler.wfile.write(content[: len(content) // 2])


def altered(handler: http.server.BaseHTTPRequestHandler, content: bytes) -> None:
    handler.wfile.write(content[:-1] + bytes([content[-1] ^ 1]))


def silent(handler: http.server.BaseHTTPRequestHandler, content: bytes) -> None:
    handler.wfile.write(content[:1000])
    handler.wfile.flush()
    time.sleep(3)


def trickling(handler: http.server.BaseHTTPRequestHandler, content: bytes) -> None:
    for at in range(60):
        handler.wfile.write(content[at : at + 1])
        time.sleep(0.05)


class Server:
    """Releases on loopback. `requests` are the names asked for; `answer` is how an archive is sent."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.answer: Answer = whole
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[1]
                served.requests.append(name)
                content = served.files.get(name)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(OSError):  # the client has given up
                    (served.answer if name.endswith(".tar.gz") else whole)(self, content)

            def log_message(self, *_: Any) -> None:
                """Not on the terminal."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def add(self, archive: str, checksums: str, **scripts: str) -> None:
        """An archive of executables, listed with its checksum."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for path, script in scripts.items():
                content = f"#!/bin/sh\n{script}\n".encode() + os.urandom(200_000)
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(content), 0o755
                tar.addfile(member, io.BytesIO(content))
        self.files[archive] = packed.getvalue()
        digest = hashlib.sha256(packed.getvalue()).hexdigest()
        self.files[checksums] = f"{'0' * 64}  another.tar.gz\n{digest}  {archive}\n".encode()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


CLI_ARCHIVE = f"pulumi-{ENGINE}-linux-x64.tar.gz"
COMMAND_ARCHIVE = f"pulumi-resource-command-v{COMMAND.version}-linux-amd64.tar.gz"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """With a release of Pulumi and one of the command plugin; a stall is short here."""
    made = Server()
    release = {"pulumi/pulumi": f"echo {ENGINE}; exit", "pulumi/pulumi-language-python": f"echo {ENGINE}; exit"}
    made.add(
        CLI_ARCHIVE, f"pulumi-{engine.VERSION}-checksums.txt", **release, **{"pulumi/pulumi-language-python-exec": ""}
    )
    made.add(COMMAND_ARCHIVE, f"pulumi-command_{COMMAND.version}_checksums.txt", **{"pulumi-resource-command": "exit"})
    served_from(made.url, monkeypatch)
    monkeypatch.setattr(releases, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(releases, "LEAST_BYTES", 4096)
    yield made
    made.stop()


class TestDownloads:
    @pytest.mark.parametrize("answer", [whole, steady])
    def test_a_release_that_comes_is_used_however_long_it_takes(self, server: Server, answer: Answer) -> None:
        server.answer = answer
        got = engine.install()
        assert got.pulumi == cache() / f"pulumi-{ENGINE}/pulumi"
        host, command, aws = got.plugins
        assert host.path == got.pulumi.with_name("pulumi-language-python")
        assert command.path == cache() / "plugins" / COMMAND.folder / "pulumi-resource-command"
        assert aws.stand_in, "not asked for"
        assert sorted(file.name for file in cache().iterdir()) == ["plugins", f"pulumi-{ENGINE}"]

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (broken_off, "broke off after"),
            (altered, "does not match its published checksum"),
            (silent, "nothing came for"),
            (trickling, "less than"),
        ],
    )
    def test_one_that_fails_is_never_used_said_once_and_not_tried_again(
        self, server: Server, answer: Answer, why: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        server.answer = answer
        script = 'while [ "$1" != -o ]; do shift; done; echo "#!/bin/sh" > "$2"; '
        tool(tmp_path / "bin", "go", script + f'echo "echo {ENGINE}" >> "$2"; /bin/chmod +x "$2"')
        got = engine.install()
        assert got.pulumi == cache() / f"pulumi-{ENGINE}-built/pulumi"
        assert all(each.stand_in for each in got.plugins)
        assert capfd.readouterr().err.count(f"not to be had: {'' if answer is not broken_off else server.url}") >= 1
        assert why in (cache() / f"pulumi-{ENGINE}-linux-x64.not-to-be-had").read_text()
        assert why in (cache() / f"{COMMAND.folder}.not-to-be-had").read_text()
        tried = list(server.requests)
        server.answer = whole
        assert engine.install() == got
        assert server.requests == tried, "no second attempt"
        assert "getting" not in capfd.readouterr().err

    def test_who_asks_for_the_official_ones_has_them_tried_again(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.answer = altered
        tool(cache() / f"pulumi-{ENGINE}-built", "pulumi", f"echo {ENGINE}")
        assert all(each.stand_in for each in engine.install().plugins)
        server.answer = whole
        server.add(
            f"pulumi-resource-aws-v{AWS.version}-linux-amd64.tar.gz",
            f"pulumi-aws_{AWS.version}_checksums.txt",
            **{"pulumi-resource-aws": "exit"},
        )
        monkeypatch.setenv("SANDBOX_PLUGINS", "official")
        got = engine.install()
        assert got.pulumi == cache() / f"pulumi-{ENGINE}/pulumi"
        assert not any(each.stand_in for each in got.plugins)

    def test_nothing_goes_into_the_users_home(self, server: Server, tmp_path: Path) -> None:
        engine.install()
        assert not (tmp_path / ".pulumi").exists()

    def test_a_release_is_unpacked_by_the_python_of_debian_12(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def extractall(self: Any, path: Any = ".", members: Any = None, *, numeric_owner: bool = False) -> None:
            raise AssertionError("3.11.2 knows this without `filter`, which lets an archive write anywhere")

        monkeypatch.setattr(tarfile.TarFile, "extractall", extractall)
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
        assert not engine.install().plugins[0].stand_in

    @pytest.mark.parametrize("path", ["../out", "/out-of-the-release"])
    def test_an_archive_that_leads_out_of_its_folder_is_refused(
        self, server: Server, path: str, tmp_path: Path
    ) -> None:
        server.add("a.tar.gz", "sums", **{path: ""})
        folder = tmp_path / "unpacked"
        folder.mkdir()
        with pytest.raises(releases.NotToBeHad, match="leads out of its folder"):
            releases.get(releases.Release(server.url, "a.tar.gz", "sums"), folder, print)
        assert not (tmp_path / "out").exists()


class TestChoice:
    @pytest.fixture(autouse=True)
    def pulumi(self, tmp_path: Path) -> Path:
        """An installed CLI alone."""
        return tool(tmp_path / "bin", "pulumi", f"echo {ENGINE}")

    def used(self) -> list[bool]:
        """Whether language host, command and aws are official ones."""
        return [not each.stand_in for each in engine.find().plugins]

    def test_each_plugin_is_chosen_for_itself(self, tmp_path: Path) -> None:
        assert self.used() == [False, False, False]
        official(COMMAND, tmp_path / ".pulumi")
        assert self.used() == [False, True, False]
        official(AWS, tmp_path / ".pulumi")
        assert self.used() == [False, True, False], "aws is the sandbox's own cloud until it is asked for"
        official_host(tmp_path / "bin")
        assert self.used() == [True, True, False]

    @pytest.mark.parametrize(("given", "used"), [("stand-in", [False] * 3), ("official", [True] * 3)])
    def test_a_switch_decides_for_all(
        self, given: str, used: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        official_host(tmp_path / "bin")
        official(COMMAND, tmp_path / ".pulumi")
        official(AWS, tmp_path / ".pulumi")
        monkeypatch.setenv("SANDBOX_PLUGINS", given)
        assert self.used() == used

    def test_official_ones_that_are_missing_are_named_all_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SANDBOX_PLUGINS", "official")
        names = "pulumi-language-python, pulumi-resource-command, pulumi-resource-aws"
        with pytest.raises(EngineError, match=rf"missing: {names}\.\nRule: .*\nDo: .*SANDBOX_LANGUAGE_HOST"):
            engine.find()

    def test_another_word_for_the_switch_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SANDBOX_PLUGINS", "fake")
        with pytest.raises(EngineError, match="'fake'; it is one of auto, official, stand-in"):
            plugins.choice()

    @pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
    def test_a_path_decides_for_one(self, plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        own = tool(tmp_path / "own", plugin.file, "")
        monkeypatch.setenv(plugin.variable, str(own))
        assert [each.path for each in engine.find().plugins if not each.stand_in] == [own]
        monkeypatch.setenv(plugin.variable, str(own) + ".gone")
        with pytest.raises(EngineError, match=f"{plugin.variable} is '.*'\\.\nRule: .*\nDo: "):
            engine.find()

    def test_what_an_interrupted_installation_left_is_no_plugin(self, tmp_path: Path) -> None:
        official(COMMAND, tmp_path / ".pulumi")
        partial = tmp_path / ".pulumi" / "plugins" / f"{COMMAND.folder}.partial"
        partial.touch()
        assert self.used() == [False, False, False]
        partial.unlink()
        (tmp_path / ".pulumi" / "plugins" / COMMAND.folder / COMMAND.file).unlink()
        assert self.used() == [False, False, False], "an empty folder"

    def test_a_language_host_without_its_script_or_older_than_the_sdk_is_none(self, tmp_path: Path) -> None:
        tool(tmp_path / "bin", LANGUAGE_HOST.file, f"echo v{SDK}")
        assert self.used() == [False, False, False]
        official_host(tmp_path / "bin", older(SDK))
        assert self.used() == [False, False, False]


class TestKeeping:
    @pytest.fixture(autouse=True)
    def pulumi(self, tmp_path: Path) -> Path:
        return tool(tmp_path / "bin", "pulumi", f"echo {ENGINE}")

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        return tmp_path / "home"

    def test_what_was_chosen_stays_though_others_appear_and_is_said_once(
        self, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        first = engine.kept(home)
        assert capfd.readouterr().err.count("language host: stand-in, plugin command: stand-in") == 1
        official_host(tmp_path / "bin")
        official(COMMAND, tmp_path / ".pulumi")
        assert not engine.find().plugins[0].stand_in, "another sandbox would have it"
        assert engine.kept(home) == first
        assert capfd.readouterr().err == ""

    def test_the_engine_finds_the_plugins_in_the_home_and_asks_nobody_else(self, home: Path) -> None:
        given = engine.environment(home)
        assert given["PULUMI_HOME"] == str(home)
        assert given["PULUMI_IGNORE_AMBIENT_PLUGINS"] == given["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
        for plugin in PLUGINS:
            assert (home / "plugins" / plugin.folder / plugin.file).resolve() == STAND_INS / plugin.file

    def test_a_stand_in_language_host_goes_before_the_one_beside_the_cli(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        official_host(tmp_path / "bin")
        monkeypatch.setenv("SANDBOX_PLUGINS", "stand-in")
        given = engine.environment(home)
        first = Path(given["PATH"].split(os.pathsep)[0], LANGUAGE_HOST.file)
        assert first.resolve() == STAND_INS / LANGUAGE_HOST.file
        assert "PULUMI_IGNORE_AMBIENT_PLUGINS" not in given, "or the engine takes the one beside it"

    def test_another_choice_for_a_sandbox_that_has_one_is_refused(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine.environment(home)
        monkeypatch.setenv("SANDBOX_PLUGINS", "stand-in")
        with pytest.raises(EngineError, match=r"SANDBOX_PLUGINS=stand-in, and .*\nRule: .*\nDo: run scripts/down"):
            engine.environment(home)
        monkeypatch.delenv("SANDBOX_PLUGINS")
        engine.environment(home)

    def test_a_plugin_that_is_gone_is_named(self, home: Path, tmp_path: Path) -> None:
        command = official(COMMAND, tmp_path / ".pulumi")
        engine.environment(home)
        command.unlink()
        with pytest.raises(EngineError, match=f"{command}: gone.*\nRule: .*\nDo: "):
            engine.environment(home)


class TestVersions:
    def test_every_place_names_the_same_cli_and_it_is_not_older_than_the_sdk(self) -> None:
        pinned = versions.pinned_cli()
        assert set(pinned.values()) == {engine.VERSION}, pinned
        assert plugins.numbers(engine.VERSION) >= plugins.numbers(versions.pinned_sdk())

    def test_the_newest_is_by_number_and_no_prerelease(self) -> None:
        assert versions.newest("m v3.9.0 v3.260.0 v3.274.1 v3.275.0-rc.1 v3.99.0") == "3.274.1"
        assert versions.newest("pulumi (3.272.0)\nAvailable versions: 3.272.0, 3.271.0, 3.9.1") == "3.272.0"

    def test_newer_ones_are_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        served = {"go": f"echo m v3.1.0 v{engine.VERSION} v9.0.0", "pip": f"echo 'pulumi ({versions.pinned_sdk()})'"}
        go, pip = (tool(tmp_path / "bin", name, script) for name, script in served.items())
        monkeypatch.setattr(sys, "executable", str(pip))
        assert go.exists()
        assert versions.newer() == [f"CLI: 9.0.0 can be had, {engine.VERSION} is pinned"]
