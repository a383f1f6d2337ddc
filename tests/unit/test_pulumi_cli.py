"""How the Pulumi CLI is ended."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

from chef_push_jobs.engine import pulumi_cli


def test_a_signal_leaves_the_exit_status_of_one_that_has_just_ended_to_who_waits_for_it() -> None:
    """Else asyncio says on the operator's terminal that it knows no such process, and makes up a status."""
    ended: Any = subprocess.Popen(["sh", "-c", "exit 3"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    pulumi_cli._signal(ended, signal.SIGINT)
    assert os.waitstatus_to_exitcode(os.waitpid(ended.pid, 0)[1]) == 3
