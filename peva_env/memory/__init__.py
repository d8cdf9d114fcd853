"""The memory: DuckDB as the truth, a tensor cache for the hot path, Parquet to exchange.

What must always hold:

- An event is on disk when ``ingest_event`` returns; ``kill -9`` at any moment loses at most the run in progress.
- One file has one writer. Another process reads a snapshot up to the last event.
- Tables, columns and types match the schema version exactly, else ``SchemaMismatchError``; nothing is migrated.
- A merge is one transaction: every event of every input is there afterwards, or nothing has changed; merging twice is
  merging once.
- The row of a policy update is stored in one transaction with the event that triggers the update.
- Campaigns and events are later than all that the memory held when they began, whatever the machine's clock says.
"""

from peva_env.memory.contexts import REFINED, RULES, context_hash, digest, node_name, parsed_context, show_as_read
from peva_env.memory.database import Database
from peva_env.memory.duckdb_errors import ANOTHER_FILE, advising
from peva_env.memory.engine import InProcessMemoryEngine
from peva_env.memory.event_rows import EVENT_COLUMNS, event_row, read_events
from peva_env.memory.file_locks import is_in_use
from peva_env.memory.fleet_names import fleet_node, fleet_run_id
from peva_env.memory.ledger import RunLedger
from peva_env.memory.recheck_ledger import RecheckLedger
from peva_env.memory.schema import CORE_TABLES, DEBUG_TABLES, ENDED_AT, MAX_REPETITION, RECHECK_AGENT, TABLES
from peva_env.memory.scoutings import NO_REPETITION, scouted_steps
from peva_env.memory.session_rules import LAST_S, SessionRules, judged_by, other_rules, rules_in, session_rules
from peva_env.memory.snapshot import memory_files, reading
from peva_env.memory.store import DEFAULT_SCHEMA_VERSION, DuckDBMemoryStore, Session
from peva_env.memory.summary import CampaignSummary, ContextSummary, MemorySummary, summarize_memory
from peva_env.memory.suspects import SUSPECT, as_read, is_suspect, mark
from peva_env.memory.verify import verify
from peva_env.memory.writing import left_as_it_was, writing

__all__ = [
    "ANOTHER_FILE",
    "CORE_TABLES",
    "DEBUG_TABLES",
    "DEFAULT_SCHEMA_VERSION",
    "ENDED_AT",
    "EVENT_COLUMNS",
    "LAST_S",
    "MAX_REPETITION",
    "NO_REPETITION",
    "RECHECK_AGENT",
    "REFINED",
    "RULES",
    "SUSPECT",
    "TABLES",
    "CampaignSummary",
    "ContextSummary",
    "Database",
    "DuckDBMemoryStore",
    "InProcessMemoryEngine",
    "MemorySummary",
    "RecheckLedger",
    "RunLedger",
    "Session",
    "SessionRules",
    "advising",
    "as_read",
    "context_hash",
    "digest",
    "event_row",
    "fleet_node",
    "fleet_run_id",
    "is_in_use",
    "is_suspect",
    "judged_by",
    "left_as_it_was",
    "mark",
    "memory_files",
    "node_name",
    "other_rules",
    "parsed_context",
    "read_events",
    "reading",
    "rules_in",
    "scouted_steps",
    "session_rules",
    "show_as_read",
    "summarize_memory",
    "verify",
    "writing",
]
