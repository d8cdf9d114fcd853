"""Prometheus: CPU, RAM and power of a node that is not this machine, over exactly the window of a run.

What must always hold: a value without data, with NaN or with a gap is None and is named in ``missing``, never zero; and
no value comes from before or after the window.
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
