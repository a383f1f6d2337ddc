"""The engine behind `chef-push-jobs up`: never left to itself, whatever happens to who shows what it does."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from chef_push_jobs.engine import up
from chef_push_jobs.engine.event_log import Event
from chef_push_jobs.engine.pulumi_cli import Pulumi

# Runs until it is interrupted, as the engine does, and says so.
PULUMI = """#!/bin/sh
trap 'echo stopped > "$PWD/stopped"; exit 1' INT
touch "$PWD/started"
while :; do sleep 0.05; done
"""


def test_if_what_it_says_cannot_be_shown_it_is_stopped_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pulumi").write_text(PULUMI)
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def show(events: Sequence[Event]) -> None:
        if (tmp_path / "started").exists():
            raise BrokenPipeError("nobody reads")

    with pytest.raises(BrokenPipeError):
        up.run([], tmp_path / "kept.jsonl", Pulumi(tmp_path), show, lambda: None)
    assert (tmp_path / "stopped").read_text() == "stopped\n"


def test_a_request_to_stop_is_told_once_and_not_in_the_middle_of_what_is_being_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pulumi").write_text(PULUMI)
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    order: list[str] = []

    def show(events: Sequence[Event]) -> None:
        if (tmp_path / "started").exists() and "shown" not in order:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            order.append("shown")

    up.run([], tmp_path / "kept.jsonl", Pulumi(tmp_path), show, lambda: order.append("told"))
    assert order == ["shown", "told"]
