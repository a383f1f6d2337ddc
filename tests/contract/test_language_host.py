"""The contract of the Python language host, with the real engine. With LANGUAGE_HOST the official one is tested."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # publishes no types
import pytest
from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # publishes no types
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from tests.contract.conftest import LAUNCHERS, REPOSITORY
from tests.contract.ssh_server import is_running, wait_until

LANGUAGE_HOST = os.environ.get("LANGUAGE_HOST", str(LAUNCHERS / "pulumi-language-python"))

stand_in_only = pytest.mark.skipif(
    "LANGUAGE_HOST" in os.environ, reason="LANGUAGE_HOST is set, and this is where the stand-in differs on purpose"
)


@dataclass
class Project:
    """A program, its stack and a state of its own, and the engine to run them with."""

    directory: Path
    cli: str
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.directory / "state").mkdir()
        (self.directory / "program").mkdir()
        self.write(runtime={"name": "python"})
        self.environment = {
            **os.environ,
            "PATH": f"{Path(LANGUAGE_HOST).parent}:{os.environ['PATH']}",
            "PULUMI_HOME": str(self.directory / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.directory / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
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
            [self.cli, *arguments, "--non-interactive"],
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
            [self.cli, "stack", "output", "--json", "--show-secrets"],
            cwd=self.directory / "program",
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(json.loads(shown.stdout))


@pytest.fixture
def project(tmp_path: Path, pulumi_cli: str) -> Project:
    return Project(tmp_path, pulumi_cli)


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

    def test_a_virtual_environment_that_is_not_there_is_named(self, project: Project) -> None:
        project.write("", runtime={"name": "python", "options": {"virtualenv": "nowhere"}})
        result = up(project)
        assert result.returncode != 0
        assert "nowhere" in result.stdout
        assert "-m venv" in result.stdout, "what to do"
        assert "Traceback" not in result.stdout


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
        assert result.stdout.split("Diagnostics:")[1].count("error:") == 1 or "LANGUAGE_HOST" in os.environ

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
        import os, pathlib, time
        pathlib.Path("pid").write_text(str(os.getpid()))
        time.sleep(60)
        """

    @pytest.fixture
    def waiting(self, project: Project) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """An update whose program does not end, and the program's process id."""
        project.write(self.WAITING)
        update = project.start("up", "--yes", "--skip-preview")
        pid = project.directory / "program" / "pid"
        wait_until(lambda: pid.exists() and pid.read_text() != "", 20, "the program runs")
        yield update, int(pid.read_text())
        update.kill()
        update.communicate()

    def test_a_cancelled_update_ends_the_program(self, waiting: tuple[subprocess.Popen[str], int]) -> None:
        update, program = waiting
        update.send_signal(signal.SIGINT)
        wait_until(lambda: not is_running(program), 10, "the program has ended")
        output, _ = update.communicate(timeout=20)
        assert update.returncode != 0
        assert "Traceback" not in output or "LANGUAGE_HOST" in os.environ

    @stand_in_only
    def test_the_program_and_the_host_end_with_a_killed_engine(
        self, waiting: tuple[subprocess.Popen[str], int]
    ) -> None:
        update, program = waiting
        host = parent_of(program)
        assert host != update.pid, "the host is between the engine and the program"
        update.kill()
        wait_until(lambda: not is_running(program), 5, "the program has ended")
        wait_until(lambda: not is_running(host), 5, "the host has ended")

    @stand_in_only
    def test_the_program_ends_with_a_killed_host(self, waiting: tuple[subprocess.Popen[str], int]) -> None:
        _, program = waiting
        os.kill(parent_of(program), signal.SIGKILL)
        wait_until(lambda: not is_running(program), 5, "the program has ended")


def parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:")))


class TestPlugins:
    """RunPlugin, which the engine uses for policy packs and for providers in Python; asked directly."""

    @pytest.fixture
    def process(self) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen([LANGUAGE_HOST, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True)
        yield process
        process.send_signal(signal.SIGINT)
        process.wait(5)

    @pytest.fixture
    def host(self, process: subprocess.Popen[str]) -> Iterator[language_pb2_grpc.LanguageRuntimeStub]:
        assert process.stdout is not None
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            yield language_pb2_grpc.LanguageRuntimeStub(channel)

    def request(self, directory: Path, kind: str, *arguments: str) -> Any:
        info = language_pb2.ProgramInfo(
            root_directory=str(directory), program_directory=str(directory), entry_point="."
        )
        return language_pb2.RunPluginRequest(
            pwd=str(directory.parent), args=arguments, env=["GIVEN=value"], info=info, kind=kind
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

    @stand_in_only
    def test_a_directory_without_a_program_is_refused(
        self, host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
    ) -> None:
        with pytest.raises(grpc.RpcError) as refused:
            self.run(host, self.request(tmp_path, "resource"))
        assert "neither __main__.py nor pyproject.toml" in refused.value.details()

    def test_cancel_ends_what_runs_and_can_come_twice(
        self, host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
    ) -> None:
        (tmp_path / "__main__.py").write_text("import time\nprint('runs', flush=True)\ntime.sleep(60)")
        answers = host.RunPlugin(self.request(tmp_path, "resource"), timeout=30)
        assert next(answers).stdout.startswith(b"runs")
        started = time.monotonic()
        host.Cancel(empty_pb2.Empty())
        host.Cancel(empty_pb2.Empty())
        list(answers)
        assert time.monotonic() - started < 5

    def test_what_runs_ends_with_the_host(
        self, host: language_pb2_grpc.LanguageRuntimeStub, process: subprocess.Popen[str], tmp_path: Path
    ) -> None:
        (tmp_path / "__main__.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
        answers = host.RunPlugin(self.request(tmp_path, "resource"), timeout=30)
        running = int(next(answers).stdout)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: not is_running(running), 5, "it has ended")

    def test_it_tells_its_interpreter(self, host: language_pb2_grpc.LanguageRuntimeStub) -> None:
        answer = host.About(language_pb2.AboutRequest())
        assert answer.version == ".".join(map(str, sys.version_info[:3]))
        assert os.access(answer.executable, os.X_OK)

    def test_the_engine_needs_no_packages_beforehand(self, host: language_pb2_grpc.LanguageRuntimeStub) -> None:
        assert not host.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest()).packages
