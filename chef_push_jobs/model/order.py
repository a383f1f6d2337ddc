"""Natural order: frontend-2 before frontend-10. Pure."""

from __future__ import annotations

import re


def natural(text: str) -> tuple[tuple[str, int], ...]:
    """A sort key in which numbers in the text count as numbers."""
    parts = re.split(r"([0-9]{1,18})", text)
    return tuple((words, int(number or 0)) for words, number in zip(parts[::2], [*parts[1::2], ""], strict=True))
