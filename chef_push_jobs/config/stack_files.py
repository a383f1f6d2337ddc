"""A stack's settings, from whoever has read its configuration, or from its file alone, without the engine.

A `secure:` value in the file is not decrypted: only the engine has the key. Pure, except for the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chef_push_jobs.config import settings, yaml_reader
from chef_push_jobs.config.parser import decoded, is_given
from chef_push_jobs.config.settings import Reading
from chef_push_jobs.config.yaml_reader import YamlError
from chef_push_jobs.model.order import natural
from chef_push_jobs.model.problems import Problem

HIDDEN = "[secret]"  # what the engine writes for a secret value
PRIVATE_KEY = "ssh.privateKey"
MAY_BE_SECRET = ("ssh", PRIVATE_KEY)  # the engine only reports the first part
RULE = "it is sent to servers and to AWS and stored in the state unencrypted; only ssh.privateKey can be a secret"


class StackFileError(ValueError):
    """Why a stack cannot be read, and what to do."""


@dataclass(frozen=True)
class Configuration:
    """A stack's configuration as the engine gives it: text, or JSON for values that are not strings.

    `secrets` are the paths of the project's secret settings, such as `ssh.privateKey`. From a file, secrets are left
    out; the engine only tells the first part of a path.
    """

    project: str
    values: Mapping[str, str]
    secrets: tuple[str, ...] = ()

    @property
    def own(self) -> dict[str, str]:
        """The project's own settings, by their names in `stack_config.py`."""
        prefix = f"{self.project}:"
        return {key.removeprefix(prefix): value for key, value in self.values.items() if key.startswith(prefix)}

    @classmethod
    def recorded(cls, values: Mapping[str, str]) -> Configuration:
        """The configuration recorded in a preview or a rollout, where the engine writes `[secret]` for secrets.

        The project is the one that has a topology.
        """
        project = next((key.partition(":")[0] for key in values if key.endswith(":topology")), "")
        opened = {key: _without_secrets(decoded(value)) for key, value in values.items()}
        return cls(project, {key: as_given(value) for key, value in opened.items() if value is not None})


def read(configuration: Configuration, root: Path, *, files: bool = True) -> Reading:
    """The stack's settings. Without `files`, does not open the files that they name."""
    refused = [
        Problem(secret, "a secret", RULE, "set it without --secret, and do not put secrets in it")
        for secret in configuration.secrets
        if secret not in MAY_BE_SECRET
    ]
    found = settings.read(configuration.own, root, files=files)
    if not set(MAY_BE_SECRET).intersection(configuration.secrets) and is_given(found.given, PRIVATE_KEY):
        setting = f"{configuration.project}:{PRIVATE_KEY}"
        remedy = f"set it again with `pulumi config set --secret --path {setting} < FILE`, and use a new key"
        refused.append(Problem(PRIVATE_KEY, "a secret, in clear text", "a private key must stay secret", remedy))
    if not refused:
        return found
    return replace(found, settings=None, problems=(*refused, *found.problems))


def find_root(start: Path) -> Path:
    """The project directory that contains `start`, the one with Pulumi.yaml. Raises StackFileError."""
    found = next((one for one in (start, *start.parents) if (one / "Pulumi.yaml").is_file()), None)
    if found is None:
        raise StackFileError(
            f"there is no Pulumi.yaml in {start} or above it; change to the project's folder, where Pulumi.yaml is"
        )
    return found


def project(root: Path) -> str:
    """The name of the project in `root`. Raises StackFileError."""
    name = _yaml(root / "Pulumi.yaml").get("name")
    if not isinstance(name, str):
        raise StackFileError("Pulumi.yaml has no project name; add one: name: chef-push-jobs")
    return name


def folder(root: Path) -> Path:
    """Where the project in `root` has its stack files. Raises StackFileError."""
    return root / str(_yaml(root / "Pulumi.yaml").get("stackConfigDir", "."))


def names(root: Path) -> list[str]:
    """The stacks that have a file, in natural order. Raises StackFileError."""
    found = (path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in folder(root).glob("Pulumi.*.yaml"))
    return sorted(found, key=natural)


def read_configuration(stack: str, root: Path, file: Path | None = None) -> Configuration:
    """From the project's `Pulumi.STACK.yaml`, or from another `file`. Raises StackFileError."""
    path = file or folder(root) / f"Pulumi.{stack}.yaml"
    if file is None and not path.is_file():
        known = ", ".join(names(root))
        raise StackFileError(f"there is no stack {stack}: no file {path.relative_to(root)}; the stacks are {known}")
    secrets: list[str] = []
    given, name = _yaml(path).get("config") or {}, project(root)
    prefix = f"{name}:"
    if not isinstance(given, dict):
        remedy = f"write each setting below config, as {prefix}topology"
        raise StackFileError(str(Problem(f"{path.name}: config", "a single value", "it has keys and values", remedy)))
    values = {key: _open(value, key, secrets) for key, value in _named(given, prefix, path.name)}
    return Configuration(
        name,
        {key: as_given(value) for key, value in values.items() if value is not HIDDEN},
        tuple(secret.removeprefix(prefix) for secret in secrets if secret.startswith(prefix)),
    )


def _named(given: Mapping[Any, Any], prefix: str, file: str) -> Iterator[tuple[str, Any]]:
    """Each setting by its full name: a key without a namespace is the project's own, as for the engine."""
    for key, value in given.items():
        if not isinstance(key, str):
            rule, remedy = "a setting must have a name", f"write it as, for example, {prefix}topology"
            raise StackFileError(str(Problem(f"{file}: config", f"key {key}", rule, remedy)))
        namespace, colon, name = key.partition(":")
        yield (f"{namespace}:{name.removeprefix('config:')}" if colon else f"{prefix}{key}"), value


def as_given(value: Any) -> str:
    """As the engine represents a value: null as empty text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _yaml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = yaml_reader.read(file.read(yaml_reader.MOST_BYTES + 1))
    except OSError as error:
        raise StackFileError(f"{path.name} cannot be read: {error.strerror}") from None
    except YamlError as error:
        raise StackFileError(f"{path.name} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise StackFileError(f"{path.name} has no keys and values")
    return found


def _open(value: Any, path: str, secrets: list[str]) -> Any:
    """The value without its secure parts; HIDDEN if all of it is secure."""
    if isinstance(value, dict) and set(value) == {"secure"}:
        secrets.append(path)
        return HIDDEN
    if isinstance(value, dict):
        opened = {key: _open(one, f"{path}.{key}", secrets) for key, one in value.items()}
        return {key: one for key, one in opened.items() if one is not HIDDEN}
    if isinstance(value, list):
        return [_open(one, f"{path}[{at}]", secrets) for at, one in enumerate(value)]
    return value


def _without_secrets(value: Any) -> Any:
    """None if the whole value is a secret."""
    if isinstance(value, dict):
        return {key: one for key, inner in value.items() if (one := _without_secrets(inner)) is not None}
    return None if value == HIDDEN else value
