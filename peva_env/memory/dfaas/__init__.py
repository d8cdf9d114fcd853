"""Recordings of DFaaS and PEVA-FAAS (``results.csv`` and ``skipped.csv``) as events of a memory."""

from peva_env.memory.dfaas.importing import import_dfaas

__all__ = ["import_dfaas"]
