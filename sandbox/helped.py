"""Prints what a tool of this project is for, before it does anything."""

from __future__ import annotations

import sys


def help_if_asked(page: str | None) -> None:
    """If `--help` or `-h` is among its arguments, prints the tool's page and ends the process."""
    if {"--help", "-h"} & set(sys.argv[1:]):
        print((page or "").strip())
        sys.exit(0)
