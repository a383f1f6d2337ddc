"""`python -m sandbox.packages OUTDIR [--variants]`: build the stand-in packages and print their paths."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from .build import PACKAGES, VARIANTS, build


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.packages", description=__doc__)
    parser.add_argument("directory", metavar="OUTDIR", type=Path)
    parser.add_argument("--variants", action="store_true", help="also a wrong architecture and a corrupt package")
    given = parser.parse_args()
    if shutil.which("dpkg-deb") is None:
        print("dpkg-deb is missing: install the package dpkg", file=sys.stderr)
        return 1
    given.directory.mkdir(parents=True, exist_ok=True)
    for package in (*PACKAGES, *(VARIANTS if given.variants else ())):
        print(build(package, given.directory))
    return 0


if __name__ == "__main__":
    sys.exit(main())
