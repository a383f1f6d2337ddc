"""`opscode-push-jobs-server-ctl`, and its service's start; the version manifest tells which generation this is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from . import command
from .push_jobs_config import Generation, generation

MANIFEST = "/opt/opscode-push-jobs-server/version-manifest.txt"


def _manifest() -> str:
    return Path(MANIFEST).read_text(encoding="utf-8").split("\n", 1)[0]


def _kind() -> Generation:
    return generation(_manifest().split()[-1])


def _reconfigure(_: Sequence[str]) -> int:
    from . import push_jobs  # noqa: PLC0415 - with its libraries, this would slow down every other command

    return push_jobs.reconfigure(_kind())


def _test(arguments: Sequence[str]) -> int:
    from . import pedant  # noqa: PLC0415 - as above

    return pedant.test(_kind(), arguments)


COMMANDS = {
    "reconfigure": command.Command("Reconfigure the application.", _reconfigure),
    "test": command.Command("Run the API test suite against localhost.", _test),
}


def main(arguments: Sequence[str]) -> int:
    """`arguments` starts with the name that the command was called by."""
    return command.run(os.path.basename(arguments[0]), arguments[1:], COMMANDS, _manifest())


def service(_: Sequence[str]) -> int:
    from . import push_jobs_service  # noqa: PLC0415 - as above

    return push_jobs_service.main(_kind())
