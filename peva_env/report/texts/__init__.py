"""The texts of a report's page: summary, certificate, savings, and the formats of numbers and loads."""

from peva_env.report.texts import certificate, failures, fleet, provenance, savings, summary
from peva_env.report.texts.formats import load_text, sentence_text, unbroken
from peva_env.report.texts.headline import headline

__all__ = [
    "certificate",
    "failures",
    "fleet",
    "headline",
    "load_text",
    "provenance",
    "savings",
    "sentence_text",
    "summary",
    "unbroken",
]
