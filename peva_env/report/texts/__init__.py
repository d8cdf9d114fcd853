"""The texts of a report's page: its summary, its certificate, what was saved, and how numbers and loads are written."""

from peva_env.report.texts import certificate, provenance, savings, summary
from peva_env.report.texts.formats import load_text, moment_text, sentence_text

__all__ = [
    "certificate",
    "load_text",
    "moment_text",
    "provenance",
    "savings",
    "sentence_text",
    "summary",
]
