"""Pulumi's generated gRPC messages, imported without the SDK around them: a plugin starts in 0.2 s, not 0.6 s.

Leaves the real `pulumi` package importable afterwards, so that tests and the language host can use both.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

PACKAGES = ("pulumi", "pulumi.runtime", "pulumi.runtime.proto")


@contextlib.contextmanager
def _bare_packages() -> Iterator[None]:
    """Replaces the SDK's packages by empty ones while its generated modules are imported."""
    if "pulumi" in sys.modules:
        yield
        return
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the Python package pulumi is not installed: pip install -r requirements.txt")
    root = Path(spec.submodule_search_locations[0])
    for name in PACKAGES:
        package = ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    try:
        yield
    finally:
        for name in PACKAGES:
            del sys.modules[name]


with _bare_packages():
    from pulumi.runtime.proto import (
        engine_pb2,
        engine_pb2_grpc,
        language_pb2,
        language_pb2_grpc,
        plugin_pb2,
        provider_pb2,
        provider_pb2_grpc,
        status_pb2,
    )

__all__ = [
    "engine_pb2",
    "engine_pb2_grpc",
    "language_pb2",
    "language_pb2_grpc",
    "plugin_pb2",
    "provider_pb2",
    "provider_pb2_grpc",
    "status_pb2",
]
