"""The arena: agents play the same episodes, on recorded maps or simulated nodes, and are compared with the baselines.

In its folder an arena leaves ``arena.json``, what was asked; ``results.jsonl``, a line for each episode
(``peva_agents.arena.episode.Played``), written as each ends, so that the same arena goes on after a stop;
``summary.json``, ``arena.md``, and the figures ``arena.png`` and ``arena.svg``; ``entrants.json`` tells whether an
agent was changed.
"""

import hashlib
import inspect
import json
import os
import warnings
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from peva_agents.arena.config import agent_names, parse_arena
from peva_agents.arena.figure import draw
from peva_agents.arena.folder import ArenaFolder
from peva_agents.arena.pool import Turn, play_all
from peva_agents.arena.summary import summarize
from peva_agents.arena.table import markdown, print_tables
from peva_agents.arena.world import ArenaWorld
from peva_env.config import DfaasConfig
from peva_env.config.offline import ArenaConfig
from peva_env.errors import ConfigError
from peva_env.planning import agent_factory

_WRITTEN = ("arena.md", "summary.json", "results.jsonl", "arena.png", "arena.svg")


def arena(given: Mapping[str, Any], *, console: Console, out: Path, jobs: int | None = None) -> dict[str, Any]:
    """Let agents play, or go on with an arena that was stopped; print what was found, and return it.

    Args:
        given: settings, see ``peva_env.config.offline.ArenaConfig``; those left out have defaults.
        console: where to show progress and tables.
        out: the folder to write to.
        jobs: processes that play at once; as many as there are cores, unless given.

    Raises:
        ConfigError: a setting cannot be used, or the folder is not this arena's.
        MemoryStoreError: a recording cannot be read.
        PolicyError: an agent cannot be loaded, or not go on; what was played is kept.
    """
    config = parse_arena(given)
    entrants = {name: agent_factory(name)(DfaasConfig(seed=0)) for name in agent_names(config)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        world = ArenaWorld(config)
    for warning in caught:
        _say(console, f"warning: {warning.message}")
    folder = ArenaFolder(out, config, {name: _digest(name, agent) for name, agent in entrants.items()})
    if folder.played:
        _say(console, f"{out}: {len(folder.played):,} episodes were played before")
    turns = [(name, episode) for episode in world.episodes for name in agent_names(config)]
    _play(config, folder, turns, console, jobs or os.cpu_count() or 1)
    summary = summarize(config, folder.played)
    folder.write("summary.json", json.dumps(summary, indent=2))
    folder.write("arena.md", markdown(summary))
    print_tables(console, summary)
    try:
        draw(summary, out)
    except ConfigError as error:  # what was found is in the tables, too
        _say(console, f"no figure: {error}")
    written = [name for name in _WRITTEN if (out / name).exists()]
    _say(console, f"{out}: {', '.join(written)}")
    return summary


def _play(config: ArenaConfig, folder: ArenaFolder, turns: list[Turn], console: Console, jobs: int) -> None:
    done = {one.key for one in folder.played}
    left = [(name, episode) for name, episode in turns if (name, episode.map, episode.seed) not in done]
    columns = TextColumn("playing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
        closing(play_all(config.model_dump_json(), left, jobs)) as played,
    ):
        task = bar.add_task("playing", total=len(turns), completed=len(turns) - len(left))
        for one in played:
            folder.add(one)
            bar.advance(task)


def _digest(name: str, agent: Any) -> str:
    """Return what tells an entrant from what it was before a change: of its model's file, or of its code."""
    own = Path(name) if Path(name).is_file() else Path(inspect.getfile(type(getattr(agent, "policy", agent))))
    return hashlib.sha256(own.read_bytes()).hexdigest()


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=not console.is_terminal, highlight=False, markup=False)
