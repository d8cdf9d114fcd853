"""The arena: agents play the same episodes, on recorded maps or simulated nodes, and are compared with the baselines.

An arena writes into its folder ``arena.json``, its settings; ``results.jsonl``, a line for each episode
(``peva_agents.arena.episode.EpisodeRecord``), written as the episode ends, so that a stopped arena can resume;
``summary.json``, ``arena.md``, and the figures ``arena.png`` and ``arena.svg``; and ``entrants.json``, a digest of each
agent's code, by which a changed agent is noticed.
"""

import hashlib
import inspect
import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from peva_agents.arena.config import agent_names, fitting_budgets, parse_arena
from peva_agents.arena.episode import record_episode
from peva_agents.arena.figure import draw
from peva_agents.arena.folder import ArenaFolder
from peva_agents.arena.summary import arena_summary
from peva_agents.arena.table import markdown, print_tables
from peva_agents.arena.world import ArenaWorld, Episode
from peva_agents.turns import Turns, turns
from peva_env.config import DfaasConfig
from peva_env.config.offline import ArenaConfig
from peva_env.errors import ConfigError
from peva_env.planning import agent_factory

_WRITTEN = ("arena.md", "summary.json", "results.jsonl", "arena.png", "arena.svg")


def arena(
    given: Mapping[str, Any], *, console: Console, out: Path, jobs: int | None = None, ray: str | None = None
) -> dict[str, Any]:
    """Let agents play, or resume an arena that was stopped; print its tables, and return its summary.

    Args:
        given: settings, see ``peva_env.config.offline.ArenaConfig``; the others have defaults.
        console: where to show progress and tables.
        out: the folder to write to.
        jobs: processes that play at once; the number of cores by default.
        ray: a Ray cluster whose workers play instead: ``auto``, ``local`` or HOST:PORT.

    Raises:
        ConfigError: a setting cannot be used, the folder belongs to another arena, or both ``jobs`` and ``ray`` are
            given.
        MemoryStoreError: a recording cannot be read.
        PolicyError: an agent cannot be loaded, or fails; the episodes played before are kept.
    """
    config, players = parse_arena(given), turns(jobs=jobs, ray=ray)
    agents = {name: agent_factory(name)(DfaasConfig(seed=0)) for name in agent_names(config)}
    world = ArenaWorld(config)
    if not config.budgets:
        config = config.model_copy(update={"budgets": fitting_budgets(world.most_recorded)})
    folder = ArenaFolder(out, config, {name: _digest(name, agent) for name, agent in agents.items()})
    if folder.records:
        _say(console, f"{out}: {len(folder.records):,} episodes were played before")
    tasks = [(name, episode) for episode in world.episodes for name in agent_names(config)]
    _play(config, folder, tasks, console, players)
    summary = arena_summary(config, folder.records)
    folder.write("summary.json", json.dumps(summary, indent=2))
    folder.write("arena.md", markdown(summary))
    print_tables(console, summary)
    try:
        draw(summary, out)
    except ConfigError as error:  # the tables have the same figures
        _say(console, f"no figure: {error}")
    written = [name for name in _WRITTEN if (out / name).exists()]
    _say(console, f"{out}: {', '.join(written)}")
    return summary


def _play(
    config: ArenaConfig, folder: ArenaFolder, tasks: list[tuple[str, Episode]], console: Console, players: Turns
) -> None:
    done = {record.key for record in folder.records}
    settings = config.model_dump_json()
    left = [(settings, name, episode) for name, episode in tasks if (name, episode.map, episode.seed) not in done]
    columns = TextColumn("playing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
        closing(players.map(record_episode, left)) as played,
    ):
        task = bar.add_task("playing", total=len(tasks), completed=len(tasks) - len(left))
        for _, record in played:
            folder.add(record)
            bar.advance(task)


def _digest(name: str, agent: Any) -> str:
    """Return a digest of an agent's model file or, without one, of the file with its code."""
    own = Path(name) if Path(name).is_file() else Path(inspect.getfile(type(getattr(agent, "policy", agent))))
    return hashlib.sha256(own.read_bytes()).hexdigest()


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=not console.is_terminal, highlight=False, markup=False)
