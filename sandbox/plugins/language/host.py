"""Serves the engine's LanguageRuntime protocol: runs Python programs, policy packs and provider plugins.

gRPC refuses code generation, templates, packing and debuggers.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import grpc  # type: ignore[import-untyped]  # publishes no types
from google.protobuf import empty_pb2, json_format  # type: ignore[import-untyped]  # publishes no types

from sandbox.plugins.framework import process
from sandbox.plugins.framework.protocol import language_pb2, language_pb2_grpc, plugin_pb2
from sandbox.plugins.language import toolchain
from sandbox.plugins.language.toolchain import Toolchain, ToolchainError

VERSION = "0.0.0-sandbox"
PROGRAM = Path(__file__).with_name("program.py")
SHOWN = 32
SECONDS_TO_END = 5.0
PACKAGES = Path(__file__).with_name("packages.py")
WITHOUT_PLUGIN = ("pulumi-policy", "pulumi-esc-sdk")


class Children:
    """The processes that run for the engine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()

    def start(self, argv: list[str], **options: Any) -> subprocess.Popen[bytes]:
        with self._lock:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **options)
            self._running.add(child)
            return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        status = child.wait()
        with self._lock:
            self._running.discard(child)
        return status

    def end(self, child: subprocess.Popen[bytes]) -> None:
        """Interrupts the process if it still runs, and kills it if it does not end in time."""
        if child.poll() is not None:
            return
        child.send_signal(signal.SIGINT)
        killer = threading.Timer(SECONDS_TO_END, child.kill)
        killer.daemon = True
        killer.start()

    def finish(self) -> None:
        """Lets interrupted processes end by themselves, for as long as the engine waits for this process."""
        with self._lock:
            running = list(self._running)
        deadline = time.monotonic() + SECONDS_TO_END
        for child in running:
            try:
                child.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                child.kill()


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The protocol, request by request."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.children = Children()
        self.cancelled = threading.Event()
        self._programs: list[subprocess.Popen[bytes]] = []

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.engine = request.engine_address or self.engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The plugins of the program's packages. A missing environment is created first, as before each run."""
        with boundary(context):
            python = toolchain.resolve(_options(request.info), request.info.root_directory)
            log = process.EngineLog(self.engine).about("")
            python.ensure(request.info.program_directory, lambda severity, text: log(severity, text, status=True))
            needed = [each for row in _packages(python, "all") if (each := _plugin_of(*row))]
            return language_pb2.GetRequiredPackagesResponse(packages=needed)

    def GetRequiredPlugins(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.GetRequiredPluginsResponse()

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:
        with boundary(context):
            python = toolchain.resolve(_options(request.info), request.info.root_directory)
            if request.attach_debugger:
                raise ToolchainError("this stand-in language host has no debugger")
            python.validate()
            argv = [python.python, str(PROGRAM), *self._program_arguments(request)]
            child = self.children.start(argv, env={**python.environment, **_configuration(request)})
        self._programs.append(child)
        # The engine ends the request if it no longer needs the program, because something else has failed.
        context.add_callback(lambda: self.children.end(child))
        if self.cancelled.is_set():
            self.children.end(child)
        status = self.children.wait(child)
        if status == SHOWN:
            return language_pb2.RunResponse(bail=True)
        said = f"program exited with non-zero exit code: {status}" if status > 0 else "program exited unexpectedly"
        return language_pb2.RunResponse(error=said if status else "")

    def _program_arguments(self, request: Any) -> list[str]:
        named = {
            "monitor": request.monitor_address,
            "engine": self.engine,
            "project": request.project,
            "stack": request.stack,
            "organization": request.organization,
            "root-directory": request.info.root_directory,
            "pwd": request.pwd,
            "parallel": str(request.parallel),
        }
        options = [f"--{name}={value}" for name, value in named.items() if value]
        return [*options, *(["--dry-run"] if request.dryRun else []), "--", request.info.entry_point, *request.args]

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """A policy pack or a provider in Python: passes its output and exit status on."""
        root, directory = request.info.root_directory, request.info.program_directory
        policies = request.kind == "analyzer"
        with boundary(context):
            python = toolchain.resolve(_options(request.info), root, plugin=not policies)
            python.validate()
            argv = [python.python, *_plugin_arguments(request.kind, root, directory, list(request.args))]
            environment = {**python.environment, **dict(entry.split("=", 1) for entry in request.env)}
            cwd = directory if policies else request.pwd
            pipe = subprocess.PIPE
            child = self.children.start(argv, env=environment, cwd=cwd, stdout=pipe, stderr=pipe)
        context.add_callback(lambda: self.children.end(child))
        for stream, text in _output(child):
            answer = language_pb2.RunPluginResponse()
            setattr(answer, stream, text)
            yield answer
        yield language_pb2.RunPluginResponse(exitcode=self.children.wait(child))

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Into the environment that the options name, even if something else uses it too."""
        told: SimpleQueue[bytes] = SimpleQueue()
        with boundary(context):
            python = toolchain.resolve(_options(request.info), request.info.root_directory, plugin=request.is_plugin)
            told.put(b"Installing dependencies...\n\n")
            python.install(request.info.program_directory, lambda _, text: told.put(text.encode()))
            told.put(b"Finished installing dependencies\n\n")
        while not told.empty():
            yield language_pb2.InstallDependenciesResponse(stdout=told.get())

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:
        with boundary(context):
            python = toolchain.resolve(_options(request.info), request.info.root_directory)
            ask = "import sys; print(sys.executable, sys.version.split()[0])"
            executable, version = _said([python.python, "-c", ask], python).rsplit(" ", 1)
            metadata = {"toolchain": "Pip", "language host": "sandbox stand-in"}
            return language_pb2.AboutResponse(executable=executable, version=version.strip(), metadata=metadata)

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        with boundary(context):
            python = toolchain.resolve(_options(request.info), request.info.root_directory)
            rows = _packages(python, "all" if request.transitiveDependencies else "direct")
            packages = [language_pb2.DependencyInfo(name=name, version=version) for name, version, _ in rows]
            return language_pb2.GetProgramDependenciesResponse(dependencies=packages)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Ends the program. Plugins are ended through their own requests."""
        self.cancelled.set()
        for child in self._programs:
            self.children.end(child)
        return empty_pb2.Empty()


@contextmanager
def boundary(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except ToolchainError as error:
        context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _said(argv: list[str], python: Toolchain) -> str:
    try:
        done = subprocess.run(argv, env=python.environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ToolchainError(f"calling `{' '.join(argv)}`: {os.strerror(error.errno or 0).lower()}") from error
    if done.returncode:
        raise ToolchainError(f"`{' '.join(argv)}`: exit status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _packages(python: Toolchain, which: str) -> list[tuple[str, str, str | None]]:
    """(name, version, pulumi-plugin.json) of the packages installed for the program."""
    rows: list[tuple[str, str, str | None]] = json.loads(_said([python.python, str(PACKAGES), which], python))
    return rows


def _plugin_of(name: str, version: str, described: str | None) -> Any:
    """The plugin that a package needs; None if it needs none, or its version is not a plugin's."""
    description = json.loads(described) if described is not None else {}
    if name in WITHOUT_PLUGIN or (described is None and not name.startswith("pulumi-")):
        return None
    if described is not None and not description.get("resource"):
        return None
    wanted = str(description.get("version") or version).removeprefix("v")
    if not re.match(r"\d+\.\d+\.\d+", wanted):
        return None
    plugin = description.get("name") or name.removeprefix("pulumi-")
    server = description.get("server", "")
    return plugin_pb2.PackageDependency(name=plugin, kind="resource", version=f"v{wanted}", server=server)


def _options(info: Any) -> dict[str, Any]:
    return dict(json_format.MessageToDict(info.options))


def _configuration(request: Any) -> Mapping[str, str]:
    return {
        "PULUMI_CONFIG": json.dumps(dict(request.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
    }


def _plugin_arguments(kind: str, root: str, directory: str, arguments: list[str]) -> list[str]:
    if kind == "analyzer":
        return ["-u", "-m", "pulumi.policy", *arguments, directory]
    if Path(root, "__main__.py").exists():
        return [directory, *arguments]
    project = Path(root, "pyproject.toml")
    if not project.exists():
        raise ToolchainError("plugin is not runnable, it provides neither __main__.py nor a buildable pyproject.toml")
    name = tomllib.loads(project.read_text()).get("project", {}).get("name", "")
    return ["-m", "pulumi.run.plugin", name, *arguments]


def _output(child: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """("stdout" or "stderr", text) as the process writes it, until it has closed both."""
    queue: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
    streams: dict[str, IO[bytes] | None] = {"stdout": child.stdout, "stderr": child.stderr}

    def pump(name: str, stream: IO[bytes]) -> None:
        while text := stream.read1(65536):  # type: ignore[attr-defined]  # pipes of Popen are BufferedReader
            queue.put((name, text))
        queue.put((name, b""))

    for name, stream in streams.items():
        threading.Thread(target=pump, args=(name, stream), daemon=True).start()
    open_streams = len(streams)
    while open_streams:
        name, text = queue.get()
        if text:
            yield name, text
        else:
            open_streams -= 1


def main() -> None:
    engine = next((argument for argument in reversed(sys.argv[1:]) if not argument.startswith("-")), "")
    host = LanguageHost(engine)
    process.serve(
        lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server),
        lambda: host.engine,
        host.children.finish,
    )
