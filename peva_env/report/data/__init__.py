"""What a report says: the data and the texts of its page, computed from maps and events."""

from peva_env.report.data import facts, proof, saved
from peva_env.report.data.cells import Cell, cell_codes, cell_of
from peva_env.report.data.page_data import page_data
from peva_env.report.data.run_data import run_data
from peva_env.report.data.texts import load_text, moment_text, sentence_text

__all__ = [
    "Cell",
    "cell_codes",
    "cell_of",
    "facts",
    "load_text",
    "moment_text",
    "page_data",
    "proof",
    "run_data",
    "saved",
    "sentence_text",
]
