"""The machine images of the AWS API: what each AMI id means to the hosts and to moto. `sandbox.hosts` builds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CANONICAL = "099720109477"  # publishes Ubuntu's images on AWS
ACCOUNT = "123456789012"  # owner of the sandbox's cloud: `owners=["self"]`
ROOT_DEVICE = "/dev/sda1"


@dataclass(frozen=True)
class Image:
    """`layer` names the files that hosts with this image have on top of the base system; "base" means none."""

    id: str
    name: str
    description: str
    owner: str
    layer: str
    created: str  # ISO 8601, UTC


IMAGES = (
    Image(
        id="ami-0ba5e00000000001a",
        name="sandbox-ubuntu",
        description="A bare server with SSH",
        owner=CANONICAL,
        layer="base",
        created="2026-01-01T00:00:00.000Z",
    ),
    Image(
        id="ami-0c4ef00000000002b",
        name="sandbox-ubuntu-chef-server",
        description="A server on which the package chef-server-core is installed, not configured",
        owner=ACCOUNT,
        layer="chef-server",
        created="2026-01-02T00:00:00.000Z",
    ),
    Image(
        id="ami-0c4a000000000003c",
        name="sandbox-ubuntu-chef-ha",
        description="A bare server with SSH, and with Chef's high availability add-on for a Chef server to come",
        owner=ACCOUNT,
        layer="chef-ha",
        created="2026-01-03T00:00:00.000Z",
    ),
)

LAYERS: Mapping[str, str] = {image.id: image.layer for image in IMAGES}


def moto_images() -> str:
    """The file that moto reads at MOTO_AMIS_PATH, instead of its own hundreds of images."""
    return json.dumps([_moto_image(image) for image in IMAGES])


def _moto_image(image: Image) -> dict[str, Any]:
    return {
        "ami_id": image.id,
        "name": image.name,
        "description": image.description,
        "owner_id": image.owner,
        "public": image.owner != ACCOUNT,
        "architecture": "x86_64",
        "virtualization_type": "hvm",
        "hypervisor": "xen",
        "root_device_name": ROOT_DEVICE,
        "root_device_type": "ebs",
        "image_location": f"{image.owner}/{image.name}",
        "creation_date": image.created,
    }
