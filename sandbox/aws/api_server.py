"""The process that serves the AWS API of a sandbox. Run as `python -m sandbox.aws.api_server NAME`.

At SIGTERM it stops serving; the hosts stay. `moto_patches.py` lists the changes to moto.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.aws.amis import moto_images
from sandbox.hosts.host import Hosts
from sandbox.paths import CLOUD_URL, Sandbox
from sandbox.processes import Signals

if TYPE_CHECKING:
    from moto.server import ThreadedMotoServer

    from sandbox.aws import moto_patches

ADDRESS, PORT = "127.0.0.1", int(CLOUD_URL.rsplit(":", 1)[1])
SETTINGS = {
    "MOTO_ENABLE_AMI_VALIDATION": "true",
    "MOTO_ENABLE_KEYPAIR_VALIDATION": "true",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
}


def serve(hosts: moto_patches.Hosts, directory: Path, port: int = PORT, router: str = "") -> ThreadedMotoServer:
    """Starts the API with these hosts. Call it once per process.

    `directory` contains its files: images, faults, recorded actions.
    """
    if "moto" in sys.modules:
        raise RuntimeError("moto is imported already, without the settings of the sandbox")
    images = directory / "images.json"
    images.write_text(moto_images())
    os.environ.update(SETTINGS, MOTO_AMIS_PATH=str(images))
    from sandbox.aws import moto_patches  # noqa: PLC0415 - moto reads its settings when it is imported

    return moto_patches.start(hosts, ADDRESS, port, directory, router)


def main(name: str) -> None:
    """Serves a sandbox's cloud until SIGTERM."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    end = Signals(signal.SIGTERM, signal.SIGINT)
    sandbox = Sandbox(name)
    server = serve(Hosts(sandbox), sandbox.run, router=sandbox.router)
    from sandbox.aws import metadata_service, preexisting_resources, resolver  # noqa: PLC0415 - moto reads its settings when it is imported

    preexisting_resources.create()
    metadata_service.start(sandbox.namespace_path(sandbox.router))
    resolver.start(sandbox.namespace_path(sandbox.router))
    sandbox.cloud_ready.touch()
    end.wait()
    sandbox.cloud_ready.unlink(missing_ok=True)
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1])
