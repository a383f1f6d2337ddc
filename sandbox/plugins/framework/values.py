"""Property values as plain Python, and their way to and from the wire: unknowns, secrets, assets, whole numbers.

Leaves out resource references and output values: the plugins do not accept them, so the engine never sends them.

On the wire a number is a float, an unknown is a sentinel string, a secret or an asset is an object with a signature.
Here whole numbers are int, an unknown is `UNKNOWN`, an asset is an `Asset` or an `Archive`, and a secret is its plain
value: where the secrets were is handed along as a set of paths, from which `to_struct` marks them again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from google.protobuf import struct_pb2  # type: ignore[import-untyped]  # publishes no types

Values = dict[str, Any]
Path = tuple[str | int, ...]

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a constant of the protocol
ASSET_SIGNATURE = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIGNATURE = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN_SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown:
    """The type of `UNKNOWN`: a value that is only known in the real run. Compare with `is`."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value has no truth: test `value is UNKNOWN` first")


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Asset:
    """One file: its text, a path, or a URI. `hash` is the SHA-256 that the engine computed."""

    text: str | None = None
    path: str | None = None
    uri: str | None = None
    hash: str = ""


@dataclass(frozen=True)
class Archive:
    """Several files: a path (directory or archive file), a URI, or assets by name."""

    path: str | None = None
    uri: str | None = None
    assets: Mapping[str, Asset | Archive] | None = None
    hash: str = ""


def from_struct(struct: struct_pb2.Struct) -> tuple[Values, frozenset[Path]]:
    """The plain values, without null, and the paths of the secrets."""
    secrets: set[Path] = set()
    return _object(struct, (), secrets), frozenset(secrets)


def _object(struct: struct_pb2.Struct, path: Path, secrets: set[Path]) -> Values:
    items = ((key, _plain(value, (*path, key), secrets)) for key, value in struct.fields.items())
    return {key: value for key, value in items if value is not None}


def _plain(value: struct_pb2.Value, path: Path, secrets: set[Path]) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value == UNKNOWN_SENTINEL else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_plain(item, (*path, index), secrets) for index, item in enumerate(value.list_value.values)]
        case "struct_value":
            return _signed(value.struct_value, path, secrets)
    return None


def _signed(struct: struct_pb2.Struct, path: Path, secrets: set[Path]) -> Any:
    if SIGNATURE not in struct.fields:
        return _object(struct, path, secrets)
    match struct.fields[SIGNATURE].string_value:
        case sign if sign == SECRET_SIGNATURE:
            secrets.add(path)
            return _plain(struct.fields["value"], path, secrets)
        case sign if sign == ASSET_SIGNATURE:
            return _content(Asset, _object(struct, path, secrets))
        case sign if sign == ARCHIVE_SIGNATURE:
            return _content(Archive, _object(struct, path, secrets))
        case sign:
            raise ValueError(
                f"{path_text(path)} has a kind of value that this stand-in does not know (signature {sign})"
            )


def _content(kind: type[Asset | Archive], values: Values) -> Asset | Archive:
    known = {field.name for field in fields(kind)}
    given = {key: value for key, value in values.items() if key in known and value != ""}
    if kind is Asset and not given.keys() & {"path", "uri"}:
        given.setdefault("text", "")
    return kind(**given)


def to_struct(values: Mapping[str, Any], secrets: Collection[Path] = ()) -> struct_pb2.Struct:
    """The values on the wire; values at the secret paths are marked as secrets."""
    struct = struct_pb2.Struct()
    marked = frozenset(secrets)
    for key, value in values.items():
        struct.fields[key].CopyFrom(_wire(value, (key,), marked))
    return struct


def _wire(value: Any, path: Path, secrets: frozenset[Path]) -> struct_pb2.Value:  # noqa: PLR0911 - a table of types
    if path in secrets and value is not None:
        inner = _wire(value, path, secrets - {path})
        return _sign(SECRET_SIGNATURE, {"value": inner})
    match value:
        case None:
            return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
        case bool():
            return struct_pb2.Value(bool_value=value)
        case int() | float():
            return struct_pb2.Value(number_value=value)
        case str():
            return struct_pb2.Value(string_value=value)
        case Unknown():
            return struct_pb2.Value(string_value=UNKNOWN_SENTINEL)
        case list() | tuple():
            items = [_wire(item, (*path, index), secrets) for index, item in enumerate(value)]
            return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
        case dict():
            members = {key: _wire(item, (*path, key), secrets) for key, item in value.items()}
            return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=members))
        case Asset() | Archive():
            signature = ASSET_SIGNATURE if isinstance(value, Asset) else ARCHIVE_SIGNATURE
            present = {f.name: getattr(value, f.name) for f in fields(value) if getattr(value, f.name) is not None}
            return _sign(signature, {key: _wire(item, (*path, key), secrets) for key, item in present.items()})
    raise TypeError(f"{path_text(path)}: a {type(value).__name__} has no form on the wire")


def _sign(signature: str, members: Mapping[str, struct_pb2.Value]) -> struct_pb2.Value:
    signed = {SIGNATURE: struct_pb2.Value(string_value=signature), **members}
    return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=signed))


def path_text(path: Path) -> str:
    """A property path as the engine writes it: `rules[0].port`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def contains_unknown(value: Any) -> bool:
    """Whether the value is unknown, or anything inside it."""
    match value:
        case Unknown():
            return True
        case dict():
            return any(map(contains_unknown, value.values()))
        case list():
            return any(map(contains_unknown, value))
    return False


def differences(old: Any, new: Any, path: Path = (), whole: Collection[Path] = ()) -> Iterator[tuple[Path, str]]:
    """Each innermost path where the two differ, and how: "add", "delete", "update". `whole` paths are not entered."""
    if path not in whole and isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key), new.get(key), (*path, key), whole)
    elif path not in whole and isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            here = (*path, index)
            if index >= len(old) or index >= len(new):
                yield here, "add" if index >= len(old) else "delete"
            else:
                yield from differences(old[index], new[index], here, whole)
    elif not same(old, new):
        yield path, "add" if old is None else "delete" if new is None else "update"


def same(old: Any, new: Any) -> bool:
    """Equality as in the engine: 1 is not True, and assets are equal if their hashes are."""
    if isinstance(old, Asset | Archive) and type(old) is type(new) and old.hash and new.hash:
        return old.hash == new.hash
    if isinstance(old, bool) != isinstance(new, bool):
        return False
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(same, old, new))
    return bool(old == new)
