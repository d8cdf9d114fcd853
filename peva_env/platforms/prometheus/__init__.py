"""Prometheus: CPU, RAM and power of a node that is not this machine, over exactly the window of a run."""

from peva_env.platforms.prometheus.client import Prometheus
from peva_env.platforms.prometheus.metrics import DEFAULT_NAMESPACE, PrometheusMetrics
from peva_env.platforms.prometheus.queries import load_queries

__all__ = [
    "DEFAULT_NAMESPACE",
    "Prometheus",
    "PrometheusMetrics",
    "load_queries",
]
