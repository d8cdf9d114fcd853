"""The texts of a report's page: summary, certificate, savings, and the formats of numbers and loads."""

from peva_env.report.texts import certificate, provenance, savings, summary
from peva_env.report.texts.formats import load_text, sentence_text

__all__ = [
    "certificate",
    "load_text",
    "provenance",
    "savings",
    "sentence_text",
    "summary",
]
