"""Under which name the campaigns of one memory enter another.

A campaign is identified by its context, its repetition and the moment of its start. Its ``run_id`` is a name: a
configuration may choose it, and two nodes may be configured alike. The start of an import follows from the name or the
age of its file, and two files may be alike in both: an import is identified by its runs.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import duckdb

from peva_env.memory.contexts import campaign_text
from peva_env.memory.schema import IMPORTED


@dataclass(frozen=True, slots=True)
class CampaignIdentity:
    """A campaign: its name, what identifies it, and its context as JSON."""

    run_id: str
    context_hash: str
    repetition: int
    started_at: float  # seconds since the epoch
    context_json: str
    is_import: bool  # its times are derived from a file's name or age, and tell nothing

    @property
    def longer_name(self) -> str:
        """The name with 8 hex digits of the identity appended: the same wherever the campaign is merged."""
        identity = f"{self.context_hash}/{self.repetition}/{self.started_at!r}"
        return f"{self.run_id}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"

    def is_same(self, other: Self) -> bool:
        """Tell whether both are one campaign, under the same name or one under its longer name."""
        if self.started_at != other.started_at or not self.is_alike(other):
            return False
        names = {self.run_id, other.run_id}
        return len(names) == 1 or names in ({self.run_id, self.longer_name}, {other.run_id, other.longer_name})

    def is_alike(self, other: Self) -> bool:
        """Tell whether both have one context and one repetition."""
        return (self.context_hash, self.repetition) == (other.context_hash, other.repetition)

    def __str__(self) -> str:
        """Return what tells the campaign from another one of its name."""
        return campaign_text(self.context_json, self.context_hash, self.repetition, self.started_at)


@dataclass(frozen=True, slots=True)
class NameClash:
    """An incoming campaign whose name another campaign of the memory has."""

    incoming: CampaignIdentity
    stored: CampaignIdentity


def campaigns(connection: duckdb.DuckDBPyConnection, sessions: str) -> list[CampaignIdentity]:
    """Return the campaigns of an SQL relation with the columns of ``run_sessions``, in the order of their names."""
    rows = connection.execute(
        "SELECT run_id, coalesce(context_hash, ''), coalesce(repetition, 0), coalesce(started_at, 0), "  # noqa: S608
        f"coalesce(context_json, ''), coalesce(agent, '') = '{IMPORTED}' FROM {sessions} ORDER BY run_id"
    ).fetchall()
    return [CampaignIdentity(*row) for row in rows]


def settle_names(
    stored: Iterable[CampaignIdentity],
    incoming: Iterable[CampaignIdentity],
    agree: Callable[[str, str], bool] = lambda _, __: False,
) -> tuple[dict[str, str], list[NameClash]]:
    """Return the names under which incoming campaigns enter a memory, and the clashes.

    A campaign that the memory has already, perhaps under its longer name, keeps the name that it has there. A campaign
    whose name another one has gets its longer name, and is a clash. An import is the same campaign as one of its name,
    or of a longer one, if their runs agree: the same file, perhaps at another time.

    Args:
        stored: the campaigns of the memory.
        incoming: the others.
        agree: tells of the names of an incoming and a stored campaign whether the runs of both may be of one file.

    Returns:
        The new name of each campaign whose name changes, and the campaigns whose names clash.
    """
    by_name = {campaign.run_id: campaign for campaign in stored}
    by_kind: dict[tuple[str, int], list[CampaignIdentity]] = {}
    for campaign in by_name.values():
        by_kind.setdefault((campaign.context_hash, campaign.repetition), []).append(campaign)
    names, clashes = {}, []
    for campaign in incoming:
        alike = by_kind.get((campaign.context_hash, campaign.repetition), [])
        of_its_start_first = sorted(alike, key=lambda known: known.started_at != campaign.started_at)
        same = [known.run_id for known in of_its_start_first if _are_same(campaign, known, agree)]
        if campaign.run_id in same:
            continue
        if same:
            names[campaign.run_id] = same[0]
        elif campaign.run_id in by_name:
            names[campaign.run_id] = campaign.longer_name
            clashes.append(NameClash(campaign, by_name[campaign.run_id]))
    return names, clashes


def doubled_name(
    stored: Iterable[CampaignIdentity],
    incoming: Iterable[CampaignIdentity],
    names: Mapping[str, str],
    clashes: Iterable[NameClash],
) -> str | None:
    """Return a name that two campaigns would have under the new names, or None."""
    there = {campaign.run_id for campaign in stored}
    final = Counter(names.get(campaign.run_id, campaign.run_id) for campaign in incoming)
    doubled = [name for name, n in final.items() if n > 1]
    taken = [clash.incoming.longer_name for clash in clashes if clash.incoming.longer_name in there]
    return next(iter(sorted(doubled + taken)), None)


def _are_same(one: CampaignIdentity, other: CampaignIdentity, agree: Callable[[str, str], bool]) -> bool:
    if not (one.is_import and other.is_import):
        return one.is_same(other)
    short, long = sorted((one, other), key=lambda campaign: len(campaign.run_id))
    if not long.run_id.startswith(short.run_id):
        return False
    fits = long.run_id in (short.run_id, replace(long, run_id=short.run_id).longer_name)
    return fits and agree(one.run_id, other.run_id)
