"""Scripts as they are sent: values, then the script's file with the library files that it includes. Pure.

The files are in this folder, `*.sh`; shared functions in `library/*.sh`. Each can be read, checked and run by itself:

    cd chef_push_jobs/scripts && wanted=2026-11 sh rotate.sh

The comment at the top of a file says what it does and which values it needs; it fails without them (`: "${wanted?}"`).
The text that is sent consists of the values as quoted assignments (`wanted='2026-11'`) and the file. Nothing is
formatted into its body. A line `. library/NAME.sh` is replaced by that file. Comments and blank lines are not sent, so
a better comment reaches neither a server nor the state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.resources import files

FOLDER = files(__package__)
SHEBANG = "#!/bin/sh\n"
_INCLUDE = re.compile(r"^\. (library/[\w-]+\.sh)\n", re.MULTILINE)
_LEFT_OUT = re.compile(r"^[ \t]*(#.*)?\n", re.MULTILINE)


@dataclass(frozen=True)
class Script:
    """The file `name`.sh, with `values` by variable.

    `brings` are scripts whose texts are also values: the script installs them on the server.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    brings: Mapping[str, Script | InTurn] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return SHEBANG + self.body

    @property
    def body(self) -> str:
        """The text without the line that names the shell."""
        given = {**self.values, **{name: script.text for name, script in self.brings.items()}}
        assignments = "".join(f"{name}={_quoted(value)}\n" for name, value in given.items())
        return assignments + _INCLUDE.sub(lambda line: _included(line[1]), _sent(f"{self.name}.sh"))

    @property
    def given(self) -> object:
        """The values that decide what it does, without the texts of files: for a fingerprint."""
        return [self.name, dict(self.values), {name: script.given for name, script in self.brings.items()}]

    @property
    def digests(self) -> Mapping[str, str]:
        """The digest of each file that is sent, including those that it includes and brings."""
        own = f"{self.name}.sh"
        found = {name: _digest(name) for name in (own, *_includes(own))}
        return {**found, **{name: one for script in self.brings.values() for name, one in script.digests.items()}}


@dataclass(frozen=True)
class InTurn:
    """Scripts run as one: the next one only starts if the one before succeeded."""

    parts: tuple[Script, ...]

    @property
    def text(self) -> str:
        return SHEBANG + "set -eu\n" + "".join(f"(\n{part.body})\n" for part in self.parts)

    @property
    def given(self) -> object:
        """Like a script's."""
        return [part.given for part in self.parts]

    @property
    def digests(self) -> Mapping[str, str]:
        """Like a script's."""
        return {name: one for part in self.parts for name, one in part.digests.items()}


def in_turn(*parts: Script) -> Script | InTurn:
    return parts[0] if len(parts) == 1 else InTurn(parts)


def _quoted(value: str) -> str:
    """A shell word in which nothing is expanded. Its line breaks do not change where the quotes end."""
    if "'" not in value:
        return f"'{value}'"
    return '"' + re.sub(r'[\\"$`]', r"\\\g<0>", value) + '"'


@cache
def _sent(path: str) -> str:
    """A file without comments and blank lines."""
    return _LEFT_OUT.sub("", FOLDER.joinpath(path).read_text())


def _included(path: str) -> str:
    return _INCLUDE.sub(lambda line: _included(line[1]), _sent(path))


def _includes(path: str) -> tuple[str, ...]:
    direct: list[str] = _INCLUDE.findall(_sent(path))
    return tuple(name for one in direct for name in (one, *_includes(one)))


def _digest(path: str) -> str:
    return sha256(_sent(path).encode()).hexdigest()[:16]
