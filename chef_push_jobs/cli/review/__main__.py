"""python -m chef_push_jobs.cli.review [--stack STACK] [--preview FILE] [--policies FILE] [--config-file FILE] [-o FILE]

Writes what a reviewer of a change needs to know, as Markdown for a comment on a pull request: from a preview that it
makes, or from a file with the output of `pulumi preview --json` (- for standard input). Changes nothing.
Exit status: 0, or 1 where the preview failed (the comment says how), or 2 where there is none.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from chef_push_jobs.cli.review.comment import comment, failed
from chef_push_jobs.cli.review.preview_review import review_of
from chef_push_jobs.engine import preview as parser

ROOT = Path(__file__).parents[3]


def main(arguments: Sequence[str]) -> int:
    options = argparse.ArgumentParser(
        prog="python -m chef_push_jobs.cli.review", description=__doc__.split("\n\n", 1)[1]
    )
    options.add_argument("--stack", help="the stack; by default the selected one")
    options.add_argument("--preview", help="a file with the output of `pulumi preview --json`; - for standard input")
    options.add_argument("--policies", help="a file with the output of `pulumi preview --policy-pack policy`")
    options.add_argument("--config-file", help="the stack's settings, where they are in another place")
    options.add_argument("-o", "--output", help="where to write; by default standard output")
    given = options.parse_args(arguments)
    try:
        text = _preview(given.preview, given.stack, given.config_file)
        errors = parser.parse_preview(text).errors
        policies = Path(given.policies).read_text() if given.policies else ""
        told = failed(given.stack or "", errors) if errors else comment(review_of(text, given.stack), policies)
        status = 1 if errors else 0
    except (parser.PreviewError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        told, status = failed(given.stack or "", [str(error)]), 2
    if given.output:
        Path(given.output).write_text(told)
    elif status < 2:
        sys.stdout.write(told)
    return status


def _preview(file: str | None, stack: str | None, config_file: str | None) -> str:
    if file == "-":
        return sys.stdin.read()
    if file:
        return Path(file).read_text()
    options = [*(["--stack", stack] if stack else []), *(["--config-file", config_file] if config_file else [])]
    command = ["pulumi", "preview", "--json", "--non-interactive", *options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode and not done.stdout.strip():
        raise parser.PreviewError(f"`{' '.join(command)}` ended with exit status {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
