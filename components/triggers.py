"""What makes a command run again: its `triggers`. The first is for the setting `repair`, even if that is not set."""

from __future__ import annotations

from typing import Any

import pulumi


def triggers(repair: str, *causes: pulumi.Input[str]) -> list[pulumi.Input[Any]]:
    """A task's `triggers`: its text in the setting `repair` (empty without one), and what else makes it run again."""
    return [repair, *causes]


def kept(repair: str) -> pulumi.ResourceOptions:
    """For the same resource: keeps a text that was removed from the settings, so that nothing runs again."""
    return pulumi.ResourceOptions(ignore_changes=None if repair else ["triggers[0]"])
