"""How a check refuses a request: with an error of EC2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.ec2.exceptions import EC2ClientError

Arguments = Mapping[str, Any]


def refuse(code: str, message: str) -> None:
    """Answer the request with this EC2 error."""
    raise EC2ClientError(code, message)


def group_of(backend: Any, group_id: str) -> Any:
    """The security group. Refuses an id that does not exist."""
    group = backend.get_security_group_from_id(group_id)
    if group is None:
        refuse("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
    return group
