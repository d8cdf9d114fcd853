"""Any table of runs as events of a memory: a map says which column holds what."""

from peva_env.memory.table.importing import import_table
from peva_env.memory.table.mapping import TableMap, load_map

__all__ = ["TableMap", "import_table", "load_map"]
