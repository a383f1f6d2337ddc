"""The contract of the Python language host, with the real engine."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # publishes no types
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2  # type: ignore[import-untyped]  # publishes no types
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from sandbox.operator import plugins
from sandbox.operator.plugins import LANGUAGE_HOST
from tests import under_test
from tests.contract.conftest import REPOSITORY
from tests.contract.ssh_server import is_running, wait_until

HOST = under_test.path(LANGUAGE_HOST)
# A project names its environment; without, the official host takes the Python on PATH.
HERE: dict[str, object] = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}

stand_in_only = under_test.stand_in_only(LANGUAGE_HOST)


@dataclass
class Project:
    """A program, its stack and a state of its own, and the engine to run them with."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.directory / "state").mkdir()
        (self.directory / "program").mkdir()
        self.write(runtime=HERE)
        engine, home = under_test.chosen_engine(), self.directory / "home"
        plugins.link(home, engine.plugins)
        self.environment = {
            **os.environ,
            **engine.environment(home),
            "PULUMI_BACKEND_URL": f"file://{self.directory / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "SANDBOX_HEALTH_CHECK": "1",  # where a test kills the engine, the stand-ins end soon
        }
        assert self("stack", "init", "dev").returncode == 0

    def write(self, program: str = "", runtime: dict[str, object] | None = None, **modules: str) -> None:
        """Write the program and further modules beside it; with a runtime, Pulumi.yaml too."""
        if runtime is not None:
            project = {"name": "tiny", "runtime": runtime}
            (self.directory / "program" / "Pulumi.yaml").write_text(json.dumps(project))
        for name, text in {"__main__": program, **modules}.items():
            (self.directory / "program" / f"{name}.py").write_text(textwrap.dedent(text))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.directory / "program",
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, output)

    def outputs(self) -> dict[str, Any]:
        shown = subprocess.run(
            ["pulumi", "stack", "output", "--json", "--show-secrets"],
            cwd=self.directory / "program",
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(json.loads(shown.stdout))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def up(project: Project) -> subprocess.CompletedProcess[str]:
    return project("up", "--yes", "--skip-preview")


class TestRunning:
    def test_a_preview_and_an_update_run_the_program(self, project: Project) -> None:
        project.write(
            """
            import pulumi
            pulumi.export("preview", pulumi.runtime.is_dry_run())
            pulumi.export("names", [pulumi.get_project(), pulumi.get_stack(), pulumi.get_organization()])
            print("the program speaks")
            """
        )
        preview = project("preview")
        assert preview.returncode == 0, preview.stdout
        assert "the program speaks" in preview.stdout
        assert re.search(r"preview\s*: true", preview.stdout), "it knows that it is previewed"
        assert "warning" not in preview.stdout, "as where a plugin is taken from PATH"
        result = up(project)
        assert result.returncode == 0, result.stdout
        assert project.outputs() == {"preview": False, "names": ["tiny", "dev", "organization"]}

    def test_configuration_and_its_secrets_reach_the_program(self, project: Project) -> None:
        project("config", "set", "plain", "seen")
        project("config", "set", "--secret", "hidden", "unseen-value")
        project("config", "set", "--path", "nested.list[0]", "1")
        project.write(
            """
            import pulumi
            config = pulumi.Config()
            pulumi.export("plain", config.require("plain"))
            pulumi.export("hidden", config.require_secret("hidden"))
            pulumi.export("nested", config.require_object("nested"))
            pulumi.export("knows", pulumi.runtime.is_config_secret("tiny:hidden"))
            """
        )
        result = up(project)
        assert result.returncode == 0, result.stdout
        assert "unseen-value" not in result.stdout
        assert project.outputs() == {"plain": "seen", "hidden": "unseen-value", "nested": {"list": [1]}, "knows": True}
        state = next((project.directory / "state").glob("**/stacks/**/dev.json")).read_text()
        assert "unseen-value" not in state, "a secret output is encrypted in the state"

    def test_the_working_directory_and_the_root_are_the_projects(self, project: Project) -> None:
        project.write(
            """
            import os, pulumi, beside
            pulumi.export("here", [os.getcwd(), pulumi.runtime.get_root_directory(), beside.NAME])
            """,
            beside="NAME = __name__",
        )
        result = up(project)
        assert result.returncode == 0, result.stdout
        directory = str(project.directory / "program")
        assert project.outputs()["here"] == [directory, directory, "beside"]

    @stand_in_only
    def test_the_program_sees_nothing_of_this_repository(self, project: Project) -> None:
        project.write(
            """
            import importlib.util, sys, pulumi
            names = ["sandbox", "components", "values", "inputs", "table"]
            pulumi.export("found", [name for name in names if importlib.util.find_spec(name)])
            pulumi.export("path", sys.path)
            """
        )
        assert up(project).returncode == 0
        outputs = project.outputs()
        assert outputs["found"] == []
        assert str(REPOSITORY) not in outputs["path"]

    def test_the_virtual_environment_of_the_project_is_used(self, project: Project) -> None:
        environment = project.directory / "program" / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        # The SDK of this environment, since none can be installed here.
        (path,) = environment.glob("lib/python*/site-packages")
        (path / "sdk.pth").write_text(str(Path(grpc.__file__).parents[1]))
        project.write(
            "import os, sys, pulumi; pulumi.export('used', [sys.prefix, os.environ['VIRTUAL_ENV']])",
            runtime={"name": "python", "options": {"virtualenv": "venv"}},
        )
        result = up(project)
        assert result.returncode == 0, result.stdout
        assert project.outputs()["used"] == [str(environment)] * 2

    @pytest.mark.parametrize("empty", [False, True])
    def test_a_virtual_environment_that_is_missing_or_empty_is_made(
        self, project: Project, tmp_path: Path, empty: bool
    ) -> None:
        """By pip, from requirements.txt; here with a package index in a folder, and the SDK of this environment."""
        index = tmp_path / "index"
        index.mkdir()
        sdk = str(Path(grpc.__file__).parents[1])
        wheel(index, "setuptools", {})
        wheel(index, "wheel", {})
        wheel(index, "sdk-of-here", {"sdk.pth": sdk})
        project.environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": os.devnull}
        program = project.directory / "program"
        (program / "requirements.txt").write_text("sdk-of-here\n")
        if empty:
            (program / "made").mkdir()
        project.write(
            "import sys, pulumi; pulumi.export('used', sys.prefix)",
            runtime={"name": "python", "options": {"virtualenv": "made"}},
        )
        result = up(project)
        assert result.returncode == 0, result.stdout
        assert project.outputs()["used"] == str(program / "made")

    def test_a_folder_that_is_no_virtual_environment_is_refused_and_left_alone(self, project: Project) -> None:
        folder = project.directory / "program" / "other"
        folder.mkdir()
        (folder / "mine").touch()
        project.write("", runtime={"name": "python", "options": {"virtualenv": "other"}})
        result = up(project)
        assert result.returncode != 0
        assert "no such file" in result.stdout or "doesn't appear to be a virtual environment" in result.stdout
        assert "Traceback" not in result.stdout
        assert [file.name for file in folder.iterdir()] == ["mine"]


class TestFailing:
    def test_a_run_error_shows_its_message_and_no_traceback(self, project: Project) -> None:
        project.write(
            """
            import pulumi
            class Refused(pulumi.RunError): pass
            raise Refused("two things are wrong:\\n- the first\\n- the second")
            """
        )
        result = up(project)
        assert result.returncode != 0
        assert "error: two things are wrong:\n    - the first\n    - the second\n" in result.stdout
        assert "Traceback" not in result.stdout
        assert "an unhandled error occurred: program exited with non-zero exit code: 1" in result.stdout

    def test_exit_status_32_says_that_the_error_has_been_shown(self, project: Project) -> None:
        project.write("import sys, pulumi\npulumi.log.error('it is wrong')\nsys.exit(32)")
        result = up(project)
        assert result.returncode != 0
        assert result.stdout.split("Diagnostics:")[1].count("error:") == 1
        assert "unhandled" not in result.stdout

    def test_another_exception_shows_the_programs_own_frames(self, project: Project) -> None:
        project.write("import broken\nbroken.go()", broken="def go():\n    raise KeyError('missing')")
        result = up(project)
        assert result.returncode != 0
        text = result.stdout.split("Diagnostics:")[1]
        assert "Program failed with an unhandled exception:" in text
        assert 'broken.py", line 2, in go' in text
        assert "KeyError: 'missing'" in text
        assert "run_in_stack" not in text, "what started the program is nobody's business"
        assert "runpy" not in text

    def test_an_exit_status_of_the_program_is_reported(self, project: Project) -> None:
        project.write("import sys; sys.exit(7)")
        result = up(project)
        assert result.returncode != 0
        assert "7" in result.stdout.split("error:")[1]

    def test_a_project_without_a_program_is_an_error(self, project: Project) -> None:
        (project.directory / "program" / "__main__.py").unlink()
        result = up(project)
        assert result.returncode != 0
        assert "__main__.py" in result.stdout

    @stand_in_only
    def test_a_runtime_option_that_is_not_implemented_is_refused(self, project: Project) -> None:
        project.write("", runtime={"name": "python", "options": {"toolchain": "poetry"}})
        result = up(project)
        assert result.returncode != 0
        assert "does not implement the runtime option toolchain: poetry" in result.stdout


class TestEnding:
    WAITING = """
        import os, pathlib, signal, time
        {before}
        pathlib.Path("pid").write_text(str(os.getpid()))
        time.sleep(60)
        """

    @pytest.fixture
    def start(self, project: Project) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
        """Begins an update whose program does not end: the update, and the program's process id."""
        started: list[tuple[subprocess.Popen[str], list[int]]] = []

        def begin(before: str = "pass") -> tuple[subprocess.Popen[str], int]:
            project.write(self.WAITING.format(before=before))
            update = project.start("up", "--yes", "--skip-preview")
            pid = project.directory / "program" / "pid"
            wait_until(lambda: pid.exists() and pid.read_text() != "", 20, "the program runs")
            program = int(pid.read_text())
            started.append((update, [program, parent_of(program)]))
            return update, program

        yield begin
        for update, others in started:
            update.kill()
            for other in filter(is_running, others):
                os.kill(other, signal.SIGKILL)
            update.communicate()

    def test_a_cancelled_update_interrupts_the_program_which_shows_what_python_does_of_that(
        self, start: Callable[..., tuple[subprocess.Popen[str], int]]
    ) -> None:
        update, program = start()
        update.send_signal(signal.SIGINT)
        wait_until(lambda: not is_running(program), 15, "the program has ended")
        output, _ = update.communicate(timeout=30)
        assert update.returncode != 0
        assert "KeyboardInterrupt" in output

    def test_a_program_that_handles_the_interrupt_ends_without_a_word(
        self, start: Callable[..., tuple[subprocess.Popen[str], int]]
    ) -> None:
        update, program = start("signal.signal(signal.SIGINT, lambda *_: os._exit(32))")
        update.send_signal(signal.SIGINT)
        wait_until(lambda: not is_running(program), 15, "the program has ended")
        output, _ = update.communicate(timeout=30)
        assert update.returncode != 0
        assert "Traceback" not in output
        assert "unhandled" not in output

    def test_a_program_that_ignores_the_interrupt_is_killed(
        self, start: Callable[..., tuple[subprocess.Popen[str], int]]
    ) -> None:
        update, program = start("signal.signal(signal.SIGINT, signal.SIG_IGN)")
        update.send_signal(signal.SIGINT)
        wait_until(lambda: not is_running(program), 15, "the program has ended")
        update.communicate(timeout=30)

    FAILING = """
        import sys
        import pulumi_command as command
        {before}
        for name in ("one", "two"):
            command.remote.Command(
                name, connection={{"host": "127.0.0.1", "port": 1, "dialErrorLimit": 0}}, create="true"
            )
        """

    def test_a_failed_resource_interrupts_the_program_too(self, project: Project) -> None:
        """The program may hear of the failure first, and end by itself: it is held up until the interrupt comes."""
        project.write(self.FAILING.format(before="import atexit, time; atexit.register(time.sleep, 10)"))
        result = up(project)
        assert result.returncode != 0
        assert "KeyboardInterrupt" in result.stdout

    def test_a_failed_resource_is_all_that_is_shown_where_the_program_ends_as_ours_does(self, project: Project) -> None:
        handled = (
            f"sys.path.append({str(REPOSITORY)!r}); import components.program_end as it; it.end_when_interrupted()"
        )
        project.write(self.FAILING.format(before=handled))
        result = up(project)
        assert result.returncode != 0
        assert "connection refused" in result.stdout
        assert "Traceback" not in result.stdout
        assert "unhandled" not in result.stdout

    @stand_in_only
    def test_the_host_lives_until_its_health_check_when_the_engine_is_killed(
        self, start: Callable[..., tuple[subprocess.Popen[str], int]]
    ) -> None:
        """The official one checks every five minutes, which no test waits for."""
        update, program = start()
        host = parent_of(program)
        assert host != update.pid, "the host is between the engine and the program"
        update.kill()
        wait_until(lambda: not is_running(host), 10, "the host has ended")
        wait_until(lambda: not is_running(program), 10, "the program has ended")


def parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:")))


class TestPlugins:
    """RunPlugin, which the engine uses for policy packs and for providers in Python; asked directly."""

    @pytest.fixture
    def process(self) -> Iterator[subprocess.Popen[str]]:
        path = f"{sys.prefix}/bin:{os.environ['PATH']}"
        process = subprocess.Popen(
            [HOST, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": path}
        )
        yield process
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        finally:
            process.kill()

    @pytest.fixture
    def host(self, process: subprocess.Popen[str]) -> Iterator[language_pb2_grpc.LanguageRuntimeStub]:
        assert process.stdout is not None
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            yield language_pb2_grpc.LanguageRuntimeStub(channel)

    def info(self, directory: Path, **options: str) -> Any:
        return language_pb2.ProgramInfo(
            root_directory=str(directory),
            program_directory=str(directory),
            entry_point=".",
            options=json_format.ParseDict({"virtualenv": sys.prefix} | options, struct_pb2.Struct()),
        )

    def request(self, directory: Path, kind: str, *arguments: str, **options: str) -> Any:
        return language_pb2.RunPluginRequest(
            pwd=str(directory.parent),
            args=arguments,
            env=["GIVEN=value"],
            info=self.info(directory, **options),
            kind=kind,
        )

    def run(self, host: language_pb2_grpc.LanguageRuntimeStub, request: Any) -> tuple[str, str, int]:
        answers = list(host.RunPlugin(request, timeout=30))
        texts = ["".join(getattr(answer, name).decode() for answer in answers) for name in ("stdout", "stderr")]
        return texts[0], texts[1], answers[-1].exitcode

    def test_a_provider_gets_its_arguments_and_environment_and_its_output_and_status_come_back(
        self, host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
    ) -> None:
        directory = tmp_path / "provider"
        directory.mkdir()
        (directory / "__main__.py").write_text(
            "import os, sys\nprint(sys.argv[1:], os.environ['GIVEN'], os.getcwd())\nsys.exit('err')"
        )
        stdout, stderr, status = self.run(host, self.request(directory, "resource", "127.0.0.1:1"))
        assert stdout == f"['127.0.0.1:1'] value {tmp_path}\n"
        assert stderr == "err\n"
        assert status == 1

    def test_a_directory_without_a_program_is_refused(
        self, host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
    ) -> None:
        with pytest.raises(grpc.RpcError) as refused:
            self.run(host, self.request(tmp_path, "resource"))
        assert "neither __main__.py nor a buildable pyproject.toml" in refused.value.details()

    def test_a_provider_that_names_no_environment_runs_in_one_beside_it_and_never_in_the_python_on_path(
        self, host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
    ) -> None:
        (tmp_path / "__main__.py").write_text("")
        with pytest.raises(grpc.RpcError) as refused:
            self.run(host, self.request(tmp_path, "resource", virtualenv=""))
        assert str(tmp_path / "venv") in refused.value.details()

    def test_what_is_installed_for_a_provider_goes_into_the_environment_that_it_names(
        self, host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
    ) -> None:
        """Whoever else uses it: so none names the environment of a project."""
        python = tmp_path / "used" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/ran\n')
        python.chmod(0o755)
        (tmp_path / "requirements.txt").touch()
        on_path = tmp_path / "python3"
        on_path.write_text("#!/bin/sh\nexit 0\n")
        on_path.chmod(0o755)
        request = language_pb2.InstallDependenciesRequest(info=self.info(tmp_path, virtualenv="used"), is_plugin=True)
        list(host.InstallDependencies(request, timeout=60))
        ran = (tmp_path / "ran").read_text()
        assert "-m pip install --upgrade pip setuptools wheel" in ran
        assert "-m pip install -r requirements.txt" in ran

    def test_a_plugin_ends_with_its_request(self, host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path) -> None:
        (tmp_path / "__main__.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
        answers = host.RunPlugin(self.request(tmp_path, "resource"), timeout=30)
        running = int(next(answers).stdout)
        host.Cancel(empty_pb2.Empty())
        host.Cancel(empty_pb2.Empty())
        assert is_running(running), "Cancel is for the program, and may come twice"
        answers.cancel()
        wait_until(lambda: not is_running(running), 10, "it has ended")

    def test_an_interrupt_ends_it_whatever_it_is_doing(self) -> None:
        """Also at the moment at which it begins to wait: it does so all the time here."""
        for _ in range(10):
            process = subprocess.Popen(
                [HOST], stdout=subprocess.PIPE, text=True, env=os.environ | {"SANDBOX_HEALTH_CHECK": "0"}
            )
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(10) == 0
            finally:
                process.kill()
                process.stdout.close()

    def test_an_interrupt_ends_it_also_where_another_thread_gets_it(self) -> None:
        """The kernel may give it to any; Python's own handlers run in the main one alone, which waits."""
        process = subprocess.Popen([HOST, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        threads = [int(thread) for thread in os.listdir(f"/proc/{process.pid}/task")]
        assert len(threads) > 1
        time.sleep(0.2)  # until it waits
        ctypes.CDLL(None).tgkill(process.pid, max(threads), signal.SIGINT)
        try:
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.stdout.close()

    def test_it_tells_its_interpreter(self, host: language_pb2_grpc.LanguageRuntimeStub) -> None:
        answer = host.About(language_pb2.AboutRequest())
        assert answer.version == ".".join(map(str, sys.version_info[:3]))
        assert os.access(answer.executable, os.X_OK)

    def test_the_plugins_of_the_programs_packages_are_named(self, host: language_pb2_grpc.LanguageRuntimeStub) -> None:
        request = language_pb2.GetRequiredPackagesRequest(info=self.info(REPOSITORY))
        found = {(each.name, each.kind, each.version) for each in host.GetRequiredPackages(request).packages}
        assert found == {
            ("aws", "resource", f"v{version('pulumi-aws')}"),
            ("command", "resource", f"v{version('pulumi-command')}"),
        }


def wheel(folder: Path, name: str, files: dict[str, str]) -> None:
    """A package that pip can install, newer than any other."""
    module, number = name.replace("-", "_"), "999.0"
    info = f"{module}-{number}.dist-info"
    with zipfile.ZipFile(folder / f"{module}-{number}-py3-none-any.whl", "w") as archive:
        for path, text in {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        }.items():
            archive.writestr(path, text)
