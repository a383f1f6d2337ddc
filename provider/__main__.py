"""The component package as a Pulumi provider, run by the engine: `packages: {chef-push-jobs: PATH-OF-THIS-FOLDER}`.

Does not use Pulumi's component_provider_host, which reads a schema from annotations: ours comes from the settings, like
the rules.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pulumi
from pulumi.provider import ConstructResult, Provider, main

from chef_push_jobs.config.cluster_args import ChefPushJobsClusterArgsDict
from chef_push_jobs.config.package_schema import TOKEN, VERSION, schema
from components.cluster import ChefPushJobsCluster


class ChefPushJobsProvider(Provider):
    """Constructs the only component of the package."""

    def __init__(self) -> None:
        super().__init__(VERSION, json.dumps(schema()))

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        if resource_type != TOKEN:
            raise pulumi.RunError(f"there is no {resource_type} in this package, only {TOKEN}")
        made = ChefPushJobsCluster(name, cast(ChefPushJobsClusterArgsDict, inputs), options)
        return ConstructResult(made.urn, made.outputs)


main(ChefPushJobsProvider(), sys.argv[1:])
