"""What all tests share: hypothesis without a clock, since machines differ, and the same examples in every run of CI."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("project", deadline=None, max_examples=40, derandomize="CI" in os.environ)
settings.load_profile("project")
