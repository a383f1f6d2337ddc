"""What runs a command again: `triggers`, of which the first is of the setting `repair`, whether the task is named there
or not.
"""

from __future__ import annotations

from typing import Any

import pulumi


def triggers(repair: str, *causes: pulumi.Input[str]) -> list[pulumi.Input[Any]]:
    """Of a task: its text in `repair` (empty without one), and what else it runs again with."""
    return [repair, *causes]


def kept(repair: str) -> pulumi.ResourceOptions:
    """For the same resource: a text that is taken out of the settings is as it was, so that nothing runs again."""
    return pulumi.ResourceOptions(ignore_changes=None if repair else ["triggers[0]"])
