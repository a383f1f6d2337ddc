"""Run by a program's own interpreter: lists its packages as JSON. Imports nothing of this repository.

python packages.py all|direct   [[name, version, the text of its pulumi-plugin.json or null], …]
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this file's own directory: its neighbours are no packages

import importlib.metadata
import importlib.util
import json
import re
from pathlib import Path


def normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def plugin_file(distribution: importlib.metadata.Distribution) -> str | None:
    try:
        spec = importlib.util.find_spec(distribution.metadata["Name"].replace("-", "_"))
    except (ImportError, ValueError):
        return None
    places = (spec.submodule_search_locations or []) if spec else []
    files = [Path(place, "pulumi-plugin.json") for place in places]
    return next((file.read_text() for file in files if file.is_file()), None)


found = {normal(each.metadata["Name"]): each for each in importlib.metadata.distributions()}
needed = {normal(re.split("[^A-Za-z0-9._-]", text, maxsplit=1)[0]) for d in found.values() for text in d.requires or ()}
listed = found if sys.argv[1] == "all" else found.keys() - needed
print(json.dumps([[name, found[name].version, plugin_file(found[name])] for name in sorted(listed)]))
