"""A resource plugin under test as a process, and an engine that takes notes: everything goes through gRPC.

Has its own view of the wire, so that a mistake in the plugins' own would be seen.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc  # type: ignore[import-untyped]  # publishes no types
from google.protobuf import empty_pb2, json_format, struct_pb2  # type: ignore[import-untyped]  # publishes no types
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc

SIGNATURE = "4dabf18193072939515e22adb298388d"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def secret(value: object) -> dict[str, object]:
    return {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "value": value}


def asset(**content: object) -> dict[str, object]:
    return {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "hash": "0" * 64, **content}


def archive(**content: object) -> dict[str, object]:
    return {SIGNATURE: "0def7320c3a5731c473e5ecbe6d01bc7", "hash": "0" * 64, **content}


def is_secret(value: object) -> bool:
    return isinstance(value, dict) and value.get(SIGNATURE) == "1b47061264138c4ac30d75fd1eb44270"


def struct(values: Mapping[str, object]) -> Any:
    return json_format.ParseDict(values, struct_pb2.Struct())


def plain(message: Any) -> dict[str, Any]:
    return dict(json_format.MessageToDict(message))


class NotingEngine(engine_pb2_grpc.EngineServicer):
    """Keeps every line that is logged."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def Log(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.lines.append(request)
        return empty_pb2.Empty()

    def messages(self, severity: int | None = None) -> list[str]:
        return [line.message for line in self.lines if severity in (None, line.severity)]


@dataclass
class Refused(Exception):
    """The plugin answered with an error."""

    message: str
    code: grpc.StatusCode
    details: bytes

    def __str__(self) -> str:
        return self.message


class PluginUnderTest:
    """Starts the plugin at once; `stop` ends it as the engine would."""

    def __init__(self, executable: str, package: str, environment: Mapping[str, str] | None = None) -> None:
        self.package = package
        self.engine = NotingEngine()
        self._channel: Any = None
        self._server = grpc.server(ThreadPoolExecutor(max_workers=16))
        engine_pb2_grpc.add_EngineServicer_to_server(self.engine, self._server)
        address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        inherited = {key: value for key, value in os.environ.items() if key != "SSH_AUTH_SOCK"}
        self.process = subprocess.Popen(
            [executable, address],
            stdout=subprocess.PIPE,
            text=True,
            env={**inherited, **(environment or {})},
            start_new_session=True,
        )
        try:
            self._connect(address)
        except BaseException:
            self.stop()
            raise

    def _connect(self, engine: str) -> None:
        """As the engine does: a plugin without Handshake has the engine's address from its command line alone."""
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        try:
            self.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address=engine), timeout=10)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNIMPLEMENTED:
                raise
        self.configure({})

    def configure(self, config: Mapping[str, object]) -> None:
        self._ask(
            "Configure", provider_pb2.ConfigureRequest(args=struct(config), acceptSecrets=True, sends_old_inputs=True)
        )

    def stop(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self._server.stop(None)

    def cancel(self) -> None:
        self.stub.Cancel(empty_pb2.Empty(), timeout=10)

    def _ask(self, method: str, request: Any) -> Any:
        try:
            return getattr(self.stub, method)(request, timeout=60)
        except grpc.RpcError as error:
            details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
            raise Refused(error.details(), error.code(), details) from None

    def _about(self, token: str, name: str) -> dict[str, Any]:
        kind = token if token.count(":") == 2 else f"{self.package}:{token}"
        return {"urn": f"urn:pulumi:dev::test::{kind}::{name}", "name": name, "type": kind}

    def check(self, token: str, news: Mapping[str, object], olds: Mapping[str, object] | None = None) -> Any:
        request = provider_pb2.CheckRequest(**self._about(token, "it"), olds=struct(olds or {}), news=struct(news))
        return self._ask("Check", request)

    def checked(self, token: str, news: Mapping[str, object]) -> dict[str, Any]:
        """The inputs as the engine would keep them."""
        response = self.check(token, news)
        assert not response.failures, response.failures
        return plain(response.inputs)

    def diff(self, token: str, olds: Mapping[str, object], news: Mapping[str, object]) -> Any:
        request = provider_pb2.DiffRequest(
            **self._about(token, "it"),
            id="it",
            olds=struct(olds),
            old_inputs=struct(olds),
            news=struct(news),
        )
        return self._ask("Diff", request)

    def create(
        self, token: str, inputs: Mapping[str, object], *, preview: bool = False, name: str = "it", timeout: float = 0
    ) -> tuple[str, dict[str, Any]]:
        """The id and the outputs, of inputs that Check has completed."""
        request = provider_pb2.CreateRequest(
            **self._about(token, name), properties=struct(inputs), preview=preview, timeout=timeout
        )
        response = self._ask("Create", request)
        return response.id, plain(response.properties)

    def update(
        self, token: str, olds: Mapping[str, object], news: Mapping[str, object], *, preview: bool = False
    ) -> dict[str, Any]:
        request = provider_pb2.UpdateRequest(
            **self._about(token, "it"), id="it", olds=struct(olds), news=struct(news), preview=preview
        )
        return plain(self._ask("Update", request).properties)

    def delete(self, token: str, state: Mapping[str, object]) -> None:
        self._ask("Delete", provider_pb2.DeleteRequest(**self._about(token, "it"), id="it", properties=struct(state)))

    def read(self, token: str, id: str, state: Mapping[str, object], inputs: Mapping[str, object]) -> Any:
        request = provider_pb2.ReadRequest(
            **self._about(token, "it"), id=id, properties=struct(state), inputs=struct(inputs)
        )
        return self._ask("Read", request)

    def invoke(self, token: str, arguments: Mapping[str, object]) -> Any:
        return self._ask("Invoke", provider_pb2.InvokeRequest(tok=f"{self.package}:{token}", args=struct(arguments)))


LOGGED_INFO = engine_pb2.INFO
LOGGED_WARNING = engine_pb2.WARNING
LOGGED_ERROR = engine_pb2.ERROR
