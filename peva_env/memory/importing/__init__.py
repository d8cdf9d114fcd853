"""Importing recordings that other tools wrote as CSV: what the shapes of files have in common.

What must always hold:

- A record is one line. Each line is imported, or refused with its number and a reason. Where any line has a value
  beyond the header's columns, each line with more cells than the header is refused, for its cells may be shifted.
- An import changes the whole memory or nothing; a file is imported once, also under another name. A file that has grown
  is the same campaign only under the same name.
- A campaign has the runs of one file, as the last import read it: a file of its name that lacks one of them, or has
  other values of it, is refused.
- What had to be found out about a file (encoding, separators, decimal commas) is part of the report.
- Recorded verdicts are compared, never trusted: ``peva_env.rules.judge`` judges every run.

A ``results`` file and its ``skipped`` file are one campaign. Values that they lack are derived:

- The *run_id* is the node's name and the file's, without ``results-`` or ``skipped-``, or the folder's, where the file
  is called just ``results.csv``; a pipe's is the node's name and a digest of the content. Characters other than ASCII
  letters, digits, ``.``, ``_`` and ``-`` are replaced, and a digest of the name is appended. So a file that is imported
  again, or has grown since, adds only what is new.
- An *iteration* is a further row of the same configuration in the same file.
- *Times*: the first run began at the time in the name (``YYYY-MM-DD_HH-MM-SS``, taken as UTC), each other when the one
  before it ended; without a time in the name, the last ended when the file was last changed. None began
  before 1970. A file that continues a campaign but has that one's start in its name is so dated too early.
- *Requests* that were not counted: offered = sent = rate x duration, succeeded = success rate x sent, the others failed
  as ``other``, none was dropped. The success rate is as recorded, 1 for a function at rate 0; a line is refused where
  rate x duration rounds to 0 at another rate.
- The *verdict* is by ``peva_env.rules.judge``. Where the recording says otherwise, the last reason says so.
"""

from peva_env.memory.importing.campaign import RECORDED_AS, kind_in_name
from peva_env.memory.importing.cells import MOST_BYTES, integer, is_missing, number, rounded
from peva_env.memory.importing.copies import Copy
from peva_env.memory.importing.csv_file import CsvFile, Refusal, Row, plain_column, read_csv, shortened, unique_paths
from peva_env.memory.importing.pipeline import ImportReport, import_recordings
from peva_env.memory.importing.recording import (
    LatencyUnit,
    Rates,
    RecordedRun,
    Recording,
    accepted,
    function_of_counts,
    latency_ms,
    offered_requests,
    rest_s,
    share_pct,
)

__all__ = [
    "MOST_BYTES",
    "RECORDED_AS",
    "Copy",
    "CsvFile",
    "ImportReport",
    "LatencyUnit",
    "Rates",
    "RecordedRun",
    "Recording",
    "Refusal",
    "Row",
    "accepted",
    "function_of_counts",
    "import_recordings",
    "integer",
    "is_missing",
    "kind_in_name",
    "latency_ms",
    "number",
    "offered_requests",
    "plain_column",
    "read_csv",
    "rest_s",
    "rounded",
    "share_pct",
    "shortened",
    "unique_paths",
]
