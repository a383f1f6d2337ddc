"""Which requests the AWS plugin's clients retry: like the real provider, which differs from boto3's own rules."""

from __future__ import annotations

from typing import Any

MAX_RETRIES = 25  # the real provider's number for temporary errors: throttling, errors of the API itself
CONNECTION_ATTEMPTS = 3  # fewer if nothing answers, because on a sandbox that is not temporary


def give_up(response: Any, operation: Any, attempts: int, caught_exception: Exception | None, **_: Any) -> None:
    """Raises what boto3 would retry and the real provider does not: lack of capacity has HTTP status 500."""
    from botocore.exceptions import ClientError  # type: ignore[import-untyped] # noqa: PLC0415 - no types; half a second

    if caught_exception is not None and attempts >= CONNECTION_ATTEMPTS:
        raise caught_exception
    parsed = response[1] if response else {}
    parsed.setdefault("ResponseMetadata", {})["Service"] = operation.service_model.service_id  # for `explain`
    if (parsed.get("Error") or {}).get("Code") == "InsufficientInstanceCapacity":
        raise ClientError(parsed, operation.name)
