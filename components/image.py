"""Looks up the machines' image, before anything is created."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.problems import Problem

from .lookups import looked_up

# EC2's names for ours.
ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


def find_image(settings: Settings, parent: pulumi.Resource | None = None) -> str:
    """The image's id, asked with the provider of `parent`. Raises pulumi.RunError if there is none."""
    machines = settings.config.machines
    image, architecture = machines.image, ARCHITECTURES[machines.architecture]
    if image.id is not None:
        return image.id
    nothing = Problem(
        "machines.image.name",
        f"'{image.name}' of {image.owner}",
        f"it is the name of an image for {architecture} that this account sees in the stack's region, aws:region",
        f"choose one of `aws ec2 describe-images --owners {image.owner} --include-deprecated`, or set "
        "machines.image.id",
    )
    # Images are deprecated two years after their creation, as those for systems of this age are, and then only listed
    # on request.
    with looked_up("machines.image", nothing):
        return aws.ec2.get_ami(
            owners=[image.owner],
            filters=[{"name": "name", "values": [image.name]}, {"name": "architecture", "values": [architecture]}],
            most_recent=True,
            include_deprecated=True,
            opts=pulumi.InvokeOptions(parent=parent),
        ).id
