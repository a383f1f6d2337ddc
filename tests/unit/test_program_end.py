"""How the program ends: in a process of its own, as the language host sees it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A thread that waits, as one does for the engine's answer.
BUSY = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\nprint('runs', flush=True)\n"
HANDLED = "from components.program_end import end_when_interrupted\nend_when_interrupted()\n"


def interrupted(program: str) -> tuple[int, str]:
    process = subprocess.Popen(
        [sys.executable, "-c", program + "threading.Event().wait(60)"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    return process.returncode, said


def test_an_interrupted_program_ends_without_a_word_though_threads_wait() -> None:
    assert interrupted(HANDLED + BUSY) == (32, "")


def test_without_that_python_shows_a_traceback_and_waits_for_its_threads() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        interrupted(BUSY)


def test_an_error_is_shown_once_and_the_engine_knows() -> None:
    program = (
        "import pulumi\nfrom components.program_end import errors_shown\nwith errors_shown():\n"
        "    raise pulumi.RunError('topology: wrong\\nRule: it is ha.')"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (32, "error: topology: wrong\nRule: it is ha.\n")


def test_what_shows_while_resources_are_made_is_shown_at_once_and_told_of_once() -> None:
    """Else what is cancelled with the run would come first, and the engine be gone."""
    program = (
        "from components.program_end import Refused\nrefusal = Refused('two servers: \\x1b[2Jone machine')\n"
        "import sys; print('later', refusal, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    first, later = done.stderr.splitlines()
    assert first.startswith("error: two servers: ")
    assert "\x1b" not in first and "one machine" in first
    assert later == "later nothing more starts, because of the error above"
