"""Recordings of DFaaS and PEVA-FAAS (CSV files) as events of a memory."""

from peva_env.memory.dfaas.imported_campaign import RECORDED_AS
from peva_env.memory.dfaas.importing import ImportReport, Refusal, import_dfaas

__all__ = [
    "RECORDED_AS",
    "ImportReport",
    "Refusal",
    "import_dfaas",
]
