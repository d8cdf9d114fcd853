"""Recordings of DFaaS and PEVA-FAAS (CSV files) as events of a memory."""

from peva_env.memory.dfaas.campaign import RECORDED_AS
from peva_env.memory.dfaas.csv import ImportReport, Refusal, import_dfaas

__all__ = [
    "RECORDED_AS",
    "ImportReport",
    "Refusal",
    "import_dfaas",
]
