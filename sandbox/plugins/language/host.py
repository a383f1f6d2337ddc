"""Serves the engine's LanguageRuntime protocol: runs Python programs, policy packs and provider plugins.

Code generation, templates, packing, debuggers and installing packages are left out: gRPC refuses them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import grpc  # type: ignore[import-untyped]  # publishes no types
from google.protobuf import empty_pb2, json_format  # type: ignore[import-untyped]  # publishes no types

from sandbox.plugins.framework import process
from sandbox.plugins.framework.protocol import language_pb2, language_pb2_grpc, plugin_pb2
from sandbox.plugins.language import interpreter
from sandbox.plugins.language.interpreter import InterpreterError

VERSION = "0.0.0-sandbox"
PROGRAM = Path(__file__).with_name("program.py")
SHOWN = 32
SECONDS_TO_END = 5.0
LIST_PACKAGES = """
import importlib.metadata, json, re, sys
normal = lambda name: re.sub("[-_.]+", "-", name).lower()
found = {normal(d.metadata["Name"]): d for d in importlib.metadata.distributions()}
needed = {normal(re.match("[A-Za-z0-9._-]+", r)[0]) for d in found.values() for r in d.requires or ()}
print(json.dumps([(n, d.version) for n, d in sorted(found.items()) if sys.argv[1] == "all" or n not in needed]))
"""


class Children:
    """The processes that run for the engine; they end when it cancels."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._cancelled = False

    def start(self, argv: list[str], **options: Any) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._cancelled:
                raise InterpreterError("cancelled")
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **options)
            self._running.add(child)
            return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        status = child.wait()
        with self._lock:
            self._running.discard(child)
        return status

    def end(self, child: subprocess.Popen[bytes]) -> None:
        """Interrupt it if it still runs, and kill it where that does not end it in time."""
        if child.poll() is not None:
            return
        child.send_signal(signal.SIGINT)
        killer = threading.Timer(SECONDS_TO_END, child.kill)
        killer.daemon = True
        killer.start()

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            running = list(self._running)
        for child in running:
            self.end(child)

    def kill(self) -> None:
        with self._lock:
            self._cancelled = True
            for child in self._running:
                child.kill()


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The protocol, request by request."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.children = Children()

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.engine = request.engine_address or self.engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.GetRequiredPackagesResponse()  # the SDK names the version with each registration

    def GetRequiredPlugins(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.GetRequiredPluginsResponse()

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            python = interpreter.find(_options(request.info), request.info.root_directory)
            if request.attach_debugger:
                raise InterpreterError("this stand-in language host has no debugger")
            argv = [python.executable, str(PROGRAM), *self._program_arguments(request)]
            child = self.children.start(argv, env={**python.environment, **_configuration(request)})
        except InterpreterError as error:
            return language_pb2.RunResponse(error=str(error))
        context.add_callback(lambda: self.children.end(child))
        status = self.children.wait(child)
        if status == SHOWN:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"the program ended with exit status {status}" if status else "")

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
            "parent": str(os.getpid()),
        }
        options = [f"--{name}={value}" for name, value in named.items() if value]
        return [*options, *(["--dry-run"] if request.dryRun else []), "--", request.info.entry_point, *request.args]

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """A policy pack or a provider in Python: its output and its exit status, as they come."""
        directory = request.info.program_directory
        try:
            python = interpreter.find(_options(request.info), directory)
            argv = [python.executable, *_plugin_arguments(request.kind, directory, list(request.args))]
            environment = {**python.environment, **dict(entry.split("=", 1) for entry in request.env)}
            cwd = directory if request.kind == "analyzer" else request.pwd
            pipe = subprocess.PIPE
            child = self.children.start(argv, env=environment, cwd=cwd, stdout=pipe, stderr=pipe)
        except InterpreterError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            return
        context.add_callback(lambda: self.children.end(child))
        for stream, text in _output(child):
            answer = language_pb2.RunPluginResponse()
            setattr(answer, stream, text)
            yield answer
        yield language_pb2.RunPluginResponse(exitcode=self.children.wait(child))

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        note = "This stand-in language host installs nothing: use pip install -r requirements.txt\n"
        yield language_pb2.InstallDependenciesResponse(stdout=note.encode())

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.AboutResponse(
            executable=sys.executable, version=sys.version.split()[0], metadata={"language host": "sandbox stand-in"}
        )

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        python = interpreter.find(_options(request.info), request.info.root_directory)
        argv = [python.executable, "-c", LIST_PACKAGES, "all" if request.transitiveDependencies else "direct"]
        listed = subprocess.run(argv, env=dict(python.environment), capture_output=True, text=True, check=True)
        packages = [
            language_pb2.DependencyInfo(name=name, version=version) for name, version in json.loads(listed.stdout)
        ]
        return language_pb2.GetProgramDependenciesResponse(dependencies=packages)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.children.cancel()
        return empty_pb2.Empty()


def _options(info: Any) -> dict[str, Any]:
    return dict(json_format.MessageToDict(info.options))


def _configuration(request: Any) -> Mapping[str, str]:
    return {
        "PULUMI_CONFIG": json.dumps(dict(request.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
    }


def _plugin_arguments(kind: str, directory: str, arguments: list[str]) -> list[str]:
    if kind == "analyzer":
        return ["-u", "-m", "pulumi.policy", *arguments, directory]
    if Path(directory, "__main__.py").exists():
        return [directory, *arguments]
    project = Path(directory, "pyproject.toml")
    if not project.exists():
        raise InterpreterError(f"{directory} is no Python plugin: it has neither __main__.py nor pyproject.toml")
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
        lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server), host.children.kill
    )
