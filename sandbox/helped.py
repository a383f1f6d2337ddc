"""What a tool of this project is for, said before it does anything."""

from __future__ import annotations

import sys


def help_if_asked(page: str | None) -> None:
    """Ends the process with the tool's page where `--help` or `-h` stands among its words."""
    if {"--help", "-h"} & set(sys.argv[1:]):
        print((page or "").strip())
        sys.exit(0)
