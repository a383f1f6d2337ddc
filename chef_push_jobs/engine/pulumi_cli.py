"""Runs the Pulumi CLI from PATH; nothing else does.

It runs in the project's directory and without questions, with a time limit if its answer is read. If it fails,
PulumiError says in one line why, and what to do.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SECONDS = 120.0  # for commands that read the state
PREVIEW_SECONDS = 1800.0  # a preview runs the program and may refresh many resources
END_SECONDS = 10.0  # to end in order after an interrupt
ENVIRONMENT = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
MISSING = "there is no pulumi on PATH; install it: https://www.pulumi.com/docs/install/"
# The CLI's complaints, and what to do about them; the first match counts.
REMEDIES: tuple[tuple[str, str], ...] = (
    (r"no stack selected", "name one with --stack, or select one with pulumi stack select"),
    (r"no stack named", "list the stacks with pulumi stack ls, or create one with pulumi stack init"),
    (r"passphrase must be set", "set one of them"),
    (r"incorrect passphrase", "set PULUMI_CONFIG_PASSPHRASE to the passphrase with which the stack was created"),
    (r"PULUMI_ACCESS_TOKEN", "set PULUMI_BACKEND_URL to where the state is, or use pulumi login"),
    (
        r"unable to open (state directory|bucket)",
        "correct PULUMI_BACKEND_URL, or log in to another backend with pulumi login",
    ),
    (r"no Pulumi.yaml project file", "change to the project's folder, where Pulumi.yaml is"),
    (r"invalid AWS Region", "correct aws:region in the stack's file, or AWS_REGION"),
    (r"[Mm]issing [Rr]egion", "set it: pulumi config set aws:region eu-central-1, for example"),
    (
        r"No valid credential sources|ExpiredToken|InvalidClientTokenId|SignatureDoesNotMatch|AuthFailure",
        "log in to AWS as somebody that it knows: aws sts get-caller-identity",
    ),
    (r"[Aa]ccess ?[Dd]enied|Forbidden", "see that the credentials are those that may: aws sts get-caller-identity"),
    (r"permission denied", "let yourself read and write what it names, or work as whoever it belongs to"),
    (r"currently locked", "wait for the update that holds the lock; if it is not running any more, run pulumi cancel"),
)


class PulumiError(Exception):
    """Why the CLI gave no answer, and what to do, in one line."""


@dataclass(frozen=True)
class Place:
    """The stack, as the operator names it to the CLI. `config_file` is an absolute path."""

    stack: str
    config_file: str | None = None

    @property
    def options(self) -> list[str]:
        file = ["--config-file", self.config_file] if self.config_file else []
        return ["--stack", self.stack, *file]


@dataclass(frozen=True)
class Answer:
    """`status` is the CLI's exit status; `out` and `err` are what it printed."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Pulumi:
    """The CLI for the project in `root`."""

    root: Path

    def run(self, *arguments: str, seconds: float = SECONDS) -> str:
        """Like `ask`, but blocks until the CLI ends."""
        return asyncio.run(self.ask(*arguments, seconds=seconds))

    async def ask(self, *arguments: str, seconds: float = SECONDS) -> str:
        """Returns what it prints. Raises PulumiError."""
        answer = await self._answer(arguments, seconds)
        if answer.status:
            raise _failure(arguments, answer.err)
        return answer.out

    def selected_stack(self) -> str:
        """The stack that `pulumi stack select` chose. Raises PulumiError."""
        return self.run("stack", "--show-name").strip()

    def require(self, stack: str) -> None:
        """Raises PulumiError if there is no such stack. In a terminal, the CLI would offer to create it."""
        self.run("stack", "--show-name", "--stack", stack)

    def preview(self, place: Place) -> str:
        """The output of `pulumi preview --json`; a failed preview contains its errors. Raises PulumiError."""
        arguments = ("preview", "--json", *place.options)
        answer = asyncio.run(self._answer(arguments, PREVIEW_SECONDS))
        if answer.status and not answer.out.strip():
            raise _failure(arguments, answer.err)
        return answer.out

    def show(self, *arguments: str) -> int:
        """Runs it in the operator's terminal, with colours and questions.

        Returns the exit status, or raises PulumiError.
        """
        try:
            return subprocess.run(
                ["pulumi", *arguments], cwd=self.root, env=os.environ | ENVIRONMENT, check=False
            ).returncode
        except OSError as error:
            raise _not_run(error) from None

    def start(self, *arguments: str, output: IO[bytes], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Starts it in its own session, so that Ctrl-C only reaches it through the caller. Raises PulumiError."""
        try:
            return subprocess.Popen(
                ["pulumi", *arguments, "--non-interactive"],
                cwd=self.root,
                env=os.environ | ENVIRONMENT | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise _not_run(error) from None

    async def _answer(self, arguments: tuple[str, ...], seconds: float) -> Answer:
        try:
            process = await asyncio.create_subprocess_exec(
                *("pulumi", *arguments, "--non-interactive"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=self.root,
                env=os.environ | ENVIRONMENT,
            )
        except OSError as error:
            raise _not_run(error) from None
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate()
        except TimeoutError:
            raise PulumiError(
                f"`{_shown(arguments)}` did not answer within {seconds:g} s; run it by hand to see why"
            ) from None
        finally:
            await _end(process)
        return Answer(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))


def _not_run(error: OSError) -> PulumiError:
    if isinstance(error, FileNotFoundError):
        return PulumiError(MISSING)
    return PulumiError(f"the pulumi on PATH cannot be run: {error.strerror}; reinstall it, or correct its permissions")


async def _end(process: asyncio.subprocess.Process) -> None:
    """A process that still runs, after its time or an interrupt, first gets the chance to clean up."""
    if process.returncode is not None:
        return
    _signal(process, signal.SIGINT)
    try:
        async with asyncio.timeout(END_SECONDS):
            await process.wait()
    except TimeoutError:
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    """Not `process.send_signal`: if the process has just ended, that takes the exit status for which asyncio waits."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


def explain(said: str) -> str:
    """The CLI's output after a failure, as one line: its last error, and what to do."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("error:").strip() for line in lines if line.startswith("error:")]
    message = (errors or lines or ["it printed nothing"])[-1]
    found = remedy(message)
    return f"{message}; {found}" if found else message


def remedy(message: str) -> str | None:
    """What to do about a complaint of the CLI or the engine."""
    return next((remedy for pattern, remedy in REMEDIES if re.search(pattern, message)), None)


def _failure(arguments: tuple[str, ...], said: str) -> PulumiError:
    return PulumiError(f"`{_shown(arguments)}` failed: {explain(said)}")


def _shown(arguments: tuple[str, ...]) -> str:
    return " ".join(("pulumi", *arguments))
