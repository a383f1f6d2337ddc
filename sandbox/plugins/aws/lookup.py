"""Shared by the AWS plugin's types: finding the one resource that a request describes, and checking addresses."""

from __future__ import annotations

import ipaddress
from typing import Any

from sandbox.plugins.aws.api import API, is_gone
from sandbox.plugins.framework.table import Failure
from sandbox.plugins.framework.values import UNKNOWN, Values


def first(items: list[Any] | None) -> Any:
    return items[0] if items else None


def described(method: str, key: str, *, service: str = "ec2", **request: Any) -> Any:
    """The only result of a Describe… request, or None."""
    try:
        return first(getattr(API.client(service), method)(**request)[key])
    except Exception as error:
        if is_gone(error):
            return None
        raise


def network_address(values: Values, name: str, smallest: int = 32, largest: int = 0) -> list[Failure]:
    """A CIDR without host bits, as the provider requires, of a size that the API accepts."""
    block = values.get(name)
    if block is None or block is UNKNOWN:
        return []
    try:
        network = ipaddress.IPv4Network(block)
    except ValueError:
        return [
            Failure(name, f'"{block}" is not a valid IPv4 CIDR block: an address without host bits, and its length')
        ]
    if not largest <= network.prefixlen <= smallest:
        return [Failure(name, f'expected "{block}" to have a length from {largest} to {smallest}')]
    return []
