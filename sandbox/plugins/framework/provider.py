"""The framework of the stand-in resource plugins: Pulumi's ResourceProvider protocol over a table of resource types.

How a type is declared is at the top of `table.py` (`ResourceType`, `Input`, `Call`, `Plugin`); values are described in
`values.py`. A plugin's `__main__.py` is

    provider.serve(Plugin(name="aws", version="7.51.1", resources=RESOURCES, functions=FUNCTIONS, config=CONFIG, …))

Leaves out schemas, components (Construct, Call), parameters, listing and mappings: refused with a sentence.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, NoReturn, TypeVar

import grpc  # type: ignore[import-untyped]  # publishes no types
from google.protobuf import any_pb2, empty_pb2, struct_pb2  # type: ignore[import-untyped]  # publishes no types

from sandbox.plugins.framework import configuration, diff, inputs, preview, process, table
from sandbox.plugins.framework.protocol import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
from sandbox.plugins.framework.table import Failure, Function, PartialError, Plugin, PluginError, ResourceType
from sandbox.plugins.framework.values import Path, Values, from_struct, to_struct

Row = TypeVar("Row", ResourceType, Function)


def serve(plugin: Plugin, kind: type[Provider] | None = None) -> NoReturn:
    """Runs the plugin as the engine starts it: prints the port, and serves until the engine is gone."""
    engine = sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else ""
    provider = (kind or Provider)(plugin, process.EngineLog(engine))
    process.serve(
        lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server),
        lambda: provider.log.engine,
    )


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One plugin process. Each request runs in its own thread."""

    def __init__(self, plugin: Plugin, log: process.EngineLog) -> None:
        self.plugin = plugin
        self.log = log
        self.config: Values = {}
        self.stop = threading.Event()
        self.resources = {row.token: row for row in plugin.resources}
        self.functions = {row.token: row for row in plugin.functions}

    # The plugin itself

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        if not self.plugin.handshake:
            self.refuse(context, "has no Handshake, as the real one")
        if request.engine_address:
            self.log.connect(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=self.plugin.version)

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.boundary(context):
            values, _ = from_struct(request.news)
            problems = configuration.failures(values, self.plugin.config)
            return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(problems))

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.boundary(context):
            old, new = (from_struct(struct)[0] for struct in (_old_inputs(request), request.news))
            return diff.changes(dict.fromkeys(configuration.changed(old, new), "update"))

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.boundary(context):
            self.config = configuration.parsed(from_struct(request.args)[0], self.plugin.config)
            if self.plugin.configure is not None:
                self.plugin.configure(self.config)
            return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.stop.set()
        if self.plugin.cancel is not None:
            self.plugin.cancel()
        return empty_pb2.Empty()

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.refuse(context, "has no schema: it serves programs that use the SDK package")

    def Construct(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.refuse(context, "has no components")

    def Call(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.refuse(context, "has no methods")

    def Parameterize(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.refuse(context, "takes no parameters")

    # Resources and functions

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.boundary(context):
            row = self.row(request)
            news, secrets = from_struct(request.news)
            olds, _ = from_struct(request.olds)
            values = inputs.with_defaults(news, row.inputs, _name(request.urn), olds)
            problems = list(inputs.failures(values, row.inputs))
            if row.check is not None and not problems:
                problems += row.check(values)
            marked = secrets | frozenset(inputs.declared_secrets(values, row.inputs))
            return provider_pb2.CheckResponse(inputs=to_struct(values, marked), failures=_failures(problems))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.boundary(context):
            row = self.row(request)
            return diff.response(
                row, from_struct(_old_inputs(request)), from_struct(request.news), request.ignoreChanges
            )

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.boundary(context):
            row = self.row(request)
            news, secrets = from_struct(request.properties)
            if request.preview:
                identity = row.preview_id(_name(request.urn)) if row.preview_id is not None else ""
                return provider_pb2.CreateResponse(
                    id=identity, properties=_state(row, preview.created(row, news), secrets)
                )
            call = self.call(request, inputs=news, timeout=request.timeout)
            with _kept_when_partial(context, row, news, secrets):
                identity, outputs = row.create(call)
            return provider_pb2.CreateResponse(id=identity, properties=_state(row, news | outputs, secrets))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.boundary(context):
            row = self.row(request)
            news, secrets = from_struct(request.news)
            olds, _ = from_struct(request.olds)
            if row.update is None:
                raise PluginError(f"{row.token} cannot be updated, only replaced")
            if request.preview:
                return provider_pb2.UpdateResponse(properties=_state(row, preview.updated(row, olds, news), secrets))
            call = self.call(request, id=request.id, inputs=news, state=olds, timeout=request.timeout)
            kept = preview.outputs_only(row, olds) | news
            with _kept_when_partial(context, row, kept, secrets):
                outputs = row.update(call)
            return provider_pb2.UpdateResponse(properties=_state(row, kept | outputs, secrets))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.boundary(context):
            row = self.row(request)
            if row.read is None:
                return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
            (state, state_secrets), (old, secrets) = from_struct(request.properties), from_struct(request.inputs)
            found = row.read(self.call(request, id=request.id, inputs=old, state=state))
            if found is None:
                return provider_pb2.ReadResponse()
            found = diff.in_old_order(row, old, found)
            wanted = old.keys() if old else row.inputs.keys()
            read = {key: found[key] for key in wanted if found.get(key) is not None}
            marked = secrets | frozenset(inputs.declared_secrets(read, row.inputs))
            return provider_pb2.ReadResponse(
                id=request.id,
                properties=_state(row, state | found, state_secrets | marked),
                inputs=to_struct(read, marked),
            )

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.boundary(context):
            row = self.row(request)
            if row.delete is not None:
                state, _ = from_struct(request.properties)
                row.delete(self.call(request, id=request.id, state=state, timeout=request.timeout))
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.boundary(context):
            row = self.function(request.tok)
            values, _ = from_struct(request.args)
            values = inputs.with_defaults(values, row.inputs, "", {})
            problems = list(inputs.failures(values, row.inputs))
            if problems:
                return provider_pb2.InvokeResponse(failures=_failures(problems))
            call = table.Call(
                urn="", name="", config=self.config, log=self.log.about(""), stop=self.stop, inputs=values
            )
            return provider_pb2.InvokeResponse(**{"return": to_struct(row.run(call))})

    # What the requests share

    def row(self, request: Any) -> ResourceType:
        token = request.type or _type(request.urn)
        return self._find(self.resources, token, "resource type")

    def function(self, token: str) -> Function:
        return self._find(self.functions, token, "function")

    def _find(self, rows: Mapping[str, Row], token: str, what: str) -> Row:
        if token in rows:
            return rows[token]
        reason = self.plugin.refused.get(token, f"it knows: {', '.join(sorted(rows)) or 'none'}")
        raise PluginError(f"the stand-in for pulumi-{self.plugin.name} does not implement the {what} {token}: {reason}")

    def call(self, request: Any, **details: Any) -> table.Call:
        base = table.Call(
            urn=request.urn,
            name=_name(request.urn),
            config=self.config,
            log=self.log.about(request.urn),
            stop=self.stop,
        )
        return replace(base, **details)

    def refuse(self, context: grpc.ServicerContext, what: str) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the stand-in for pulumi-{self.plugin.name} {what}")

    @contextmanager
    def boundary(self, context: grpc.ServicerContext) -> Iterator[None]:
        """Turns any error into a gRPC status with one message, because a traceback helps no operator."""
        try:
            yield
        except PluginError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception as error:  # the protocol's boundary
            context.abort(grpc.StatusCode.UNKNOWN, self.explain(error))

    def explain(self, error: Exception) -> str:
        known = self.plugin.explain(error) if self.plugin.explain is not None else None
        if known is not None:
            return known
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{FilePath(place.filename).name}:{place.lineno}"
        return f"the stand-in for pulumi-{self.plugin.name} failed: {type(error).__name__}: {error} ({where})"


@contextmanager
def _kept_when_partial(
    context: grpc.ServicerContext, row: ResourceType, values: Values, secrets: frozenset[Path]
) -> Iterator[None]:
    """Puts into the status details what a `PartialError` created, so that the engine keeps it."""
    try:
        yield
    except PartialError as error:
        detail = any_pb2.Any()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=error.id,
                properties=_state(row, values | error.outputs, secrets),
                reasons=[str(error)],
                inputs=to_struct({key: value for key, value in values.items() if key in row.inputs}, secrets),
            ),
            type_url_prefix="type.googleapis.com/",
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        raise


def _state(row: ResourceType, values: Values, secrets: frozenset[Path]) -> struct_pb2.Struct:
    """The values on the wire: secret if an input was secret, if declared so, or if the output is."""
    declared = inputs.declared_secrets(values, row.inputs)
    return to_struct(values, secrets | frozenset(declared) | {(name,) for name in row.secret_outputs})


def _old_inputs(request: Any) -> struct_pb2.Struct:
    """The inputs of the last run; an engine that does not store them separately sends a state that contains them."""
    return request.old_inputs if request.HasField("old_inputs") else request.olds


def _failures(problems: Iterable[Failure]) -> list[Any]:
    return [provider_pb2.CheckFailure(property=problem.property, reason=problem.reason) for problem in problems]


def _name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _type(urn: str) -> str:
    return urn.split("::", 3)[2].rsplit("$", 1)[-1]
