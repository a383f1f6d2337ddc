"""Which requests the AWS plugin's clients send again: as the real provider, not as boto3 would by itself."""

from __future__ import annotations

from typing import Any

MAX_RETRIES = 25  # the real provider's, of what passes by itself: throttling, errors of the API's own
CONNECTION_ATTEMPTS = 3  # where nothing answers, fewer: on a sandbox that does not pass by itself


def give_up(response: Any, operation: Any, attempts: int, caught_exception: Exception | None, **_: Any) -> None:
    """Raises what boto3 would try again and the real provider does not: lack of capacity comes with HTTP status 500."""
    from botocore.exceptions import ClientError  # type: ignore[import-untyped] # noqa: PLC0415 - no types; half a second

    if caught_exception is not None and attempts >= CONNECTION_ATTEMPTS:
        raise caught_exception
    parsed = response[1] if response else {}
    parsed.setdefault("ResponseMetadata", {})["Service"] = operation.service_model.service_id  # for `explain`
    if (parsed.get("Error") or {}).get("Code") == "InsufficientInstanceCapacity":
        raise ClientError(parsed, operation.name)
