"""What all tests share: hypothesis without a clock, the same examples in every run of CI, and the need for root."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

WHY = "these tests make network namespaces and mounts, so they need root: run scripts/test with sudo"

settings.register_profile("project", deadline=None, max_examples=40, derandomize="CI" in os.environ)
settings.load_profile("project")


@pytest.fixture(scope="session")
def root() -> None:
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(WHY)
        pytest.skip(WHY)
