"""Runs a Pulumi program in its own interpreter, as `pulumi-language-python-exec` of the official language host does.

Started by path, with any Python that has the SDK: imports nothing of this repository. Left out: tracing and debuggers.
As there, handling an interrupt is left to the program.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this file's own directory: its neighbours must not hide the program's modules

import argparse
import asyncio
import logging
import os
import runpy
import traceback
from concurrent.futures import ThreadPoolExecutor

FAILED = 1
SHOWN = 32  # the error has been shown to the user

try:
    import pulumi
    import pulumi.runtime
except ImportError as error:
    print(
        f"{sys.executable} cannot import the Pulumi SDK ({error}).\n"
        "It looks like the Pulumi SDK has not been installed. Have you run pip install?\n"
        "In a virtualenv, run pip install -r requirements.txt in it.",
        file=sys.stderr,
    )
    sys.exit(FAILED)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run a Pulumi program; started by the language host.")
    for name in ("monitor", "engine", "project", "stack", "organization", "root-directory", "pwd"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("program")
    parser.add_argument("arguments", nargs="*")
    return parser.parse_args()


def configure(args: argparse.Namespace) -> None:
    """Connects the SDK to the engine; the configuration is in the environment, as with the official host."""
    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=args.monitor,
            engine=args.engine,
            project=args.project,
            stack=args.stack,
            parallel=args.parallel,
            dry_run=args.dry_run,
            organization=args.organization,
            root_directory=args.root_directory,
        )
    )


def own_traceback(program: str) -> str:
    """The current exception's traceback from the program's first frame on, without what started the program."""
    error = sys.exc_info()[1]
    assert error is not None
    directory = os.path.abspath(program if os.path.isdir(program) else os.path.dirname(program))
    frame = error.__traceback__
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        if not file.startswith("<") and os.path.abspath(file).startswith(directory + os.sep):
            return "".join(traceback.format_exception(type(error), error, frame))
        frame = frame.tb_next
    return traceback.format_exc()


def run(program: str, parallel: int) -> int:
    """Runs the program in the stack's resource; returns the exit status."""
    if os.path.isdir(program) and not os.path.exists(os.path.join(program, "__main__.py")):
        pulumi.log.error(f"unable to find main python program `__main__.py` in `{os.path.abspath(program)}`")
        return SHOWN
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=4 * max(parallel, 1))
    loop.set_default_executor(executor)

    def main_module() -> None:
        runpy.run_path(program, run_name="__main__")

    # A program that fails leaves futures behind; asyncio's complaints about them would hide the one error that matters.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(main_module))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return FAILED
    except Exception:  # shows whatever the program raises, with its own frames
        pulumi.log.error(f"Program failed with an unhandled exception:\n{own_traceback(program)}")
        return SHOWN
    finally:
        executor.shutdown(wait=True)
        loop.close()
    return 0


def main() -> int:
    args = arguments()
    configure(args)
    sys.argv = [args.program, *args.arguments]
    if args.pwd:
        os.chdir(args.pwd)
    return run(args.program, args.parallel)


if __name__ == "__main__":
    sys.exit(main())
