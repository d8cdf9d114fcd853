"""Limits as settings of FaaS platforms, which limit requests at once, not rates: Knative and OpenFaaS.

A function with latency ``L`` has ``rate x L`` requests in flight (Little's law), so with as many slots it serves no
higher rate. ``L`` is the mean latency at the limits.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from peva_env.maps.snippets.functions import Limited, slots_per_replica


def knative(functions: Sequence[Limited], context: Mapping[str, Any]) -> str:  # noqa: ARG001 - all are called alike
    """Return a patch for each service: its requests at once, and the number of instances that was measured."""
    patches = [
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": one.name},
            "spec": {
                "template": {
                    "metadata": {"annotations": {"autoscaling.knative.dev/max-scale": str(one.replicas or 1)}},
                    "spec": {"containerConcurrency": slots_per_replica(one)},
                }
            },
        }
        for one in functions
    ]
    return "\n".join([*_assumed(functions), yaml.safe_dump_all(patches, sort_keys=False).rstrip()])


def openfaas(functions: Sequence[Limited], context: Mapping[str, Any]) -> str:  # noqa: ARG001
    """Return a part of ``stack.yml``: the requests at once of the of-watchdog, and the measured number of replicas."""
    stack = {
        one.name: {
            "environment": {"max_inflight": str(slots_per_replica(one))},
            "labels": {"com.openfaas.scale.max": str(one.replicas or 1)},
        }
        for one in functions
    }
    return "\n".join([*_assumed(functions), yaml.safe_dump({"functions": stack}, sort_keys=False).rstrip()])


def _assumed(functions: Sequence[Limited]) -> list[str]:
    unknown = [one.name for one in functions if one.replicas is None]
    if not unknown:
        return []
    return [f"# The number of instances was not measured, one is assumed: {', '.join(unknown)}."]
