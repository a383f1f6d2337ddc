"""Logs advice next to the provider's error, with a hook on each AWS resource (`engine/aws_advice.py`)."""

from __future__ import annotations

import pulumi

from chef_push_jobs.engine.aws_advice import advice
from chef_push_jobs.model.shown import visible

from . import rolling


def advise_on_errors() -> None:
    """Applies to all AWS resources that are created after this call.

    `pulumi destroy` runs no program, so it has no hooks.
    """
    pulumi.runtime.register_stack_transformation(with_advice())


def with_advice(prefix: str = "") -> pulumi.ResourceTransformation:
    """Hooks AWS resources. A hook's name must be unique in a program; `prefix` is that of the cluster's names."""
    hook = pulumi.ErrorHook(f"{prefix}advice", _advise)
    hooked = pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(on_error=[hook]))

    def add(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not args.type_.startswith("aws:"):
            return None
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, hooked))

    return add


def _advise(args: pulumi.ErrorHookArgs) -> bool:
    """Logs advice, and lets no more machines stop.

    Returns whether to try again: never, because the provider has already done that.
    """
    rolling.give_up(f"{args.name} failed")
    remedy = advice(args.name, args.failed_operation, args.errors)
    if remedy is not None:
        pulumi.log.error(visible(remedy))
    return False
