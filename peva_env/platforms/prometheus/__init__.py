"""Prometheus: CPU, RAM and power of a node that is not this machine, over exactly the window of a run.

What must always hold:

- A value without data, with NaN or with a gap between samples is None and has a line in ``missing``; it is never zero.
- No value includes samples from before or after the window.
"""

from peva_env.platforms.prometheus.client import Prometheus
from peva_env.platforms.prometheus.metrics import DEFAULT_NAMESPACE, PrometheusMetrics
from peva_env.platforms.prometheus.queries_file import load_queries

__all__ = [
    "DEFAULT_NAMESPACE",
    "Prometheus",
    "PrometheusMetrics",
    "load_queries",
]
