"""Under which name the campaigns of one memory enter another.

A campaign is identified by its context, its repetition and the moment of its start. Its ``run_id`` is a name: a
configuration may choose it, and two nodes may be configured alike. The start of an import follows from the name or the
age of its file, and two files may be alike in both: an import is identified by its runs.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import duckdb

from peva_env.memory.contexts import campaign_text
from peva_env.memory.schema import IMPORTED

_DIGITS = 8
_SUFFIX = 1 + _DIGITS
"""Characters that a longer name has more: a hyphen, and hexadecimal digits of the identity."""


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
        return f"{self.run_id}-{hashlib.sha256(identity.encode()).hexdigest()[:_DIGITS]}"

    @property
    def short_name(self) -> str:
        """The name without the digits of its identity, as often as they were appended."""
        name = self.run_id
        while replace(self, run_id=(shorter := name[:-_SUFFIX])).longer_name == name:
            name = shorter
        return name

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
    """An incoming campaign whose name another campaign of the memory has, and the name that it would get."""

    incoming: CampaignIdentity
    stored: CampaignIdentity
    new_name: str


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
    incoming = list(incoming)
    taken = by_name.keys() | {campaign.run_id for campaign in incoming}
    names: dict[str, str] = {}
    clashes: list[NameClash] = []
    known_again: set[str] = set()  # two imports may both be grown from one that is there: the first is that one
    for campaign in incoming:
        alike = by_kind.get((campaign.context_hash, campaign.repetition), [])
        of_its_start_first = sorted(alike, key=lambda known: known.started_at != campaign.started_at)
        same = [known.run_id for known in of_its_start_first if _are_same(campaign, known, agree)]
        if campaign.is_import:
            same = [name for name in same if name not in known_again]
        name = campaign.run_id
        if same and name not in same:
            name = same[0]
        elif not same and name in by_name:
            name = _new_name(campaign, taken)
            clashes.append(NameClash(campaign, by_name[campaign.run_id], name))
        known_again.update({name} if same else ())
        if name != campaign.run_id:
            names[campaign.run_id] = name
            taken |= {name}
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
    taken = [clash.new_name for clash in clashes if clash.new_name in there]
    return next(iter(sorted(doubled + taken)), None)


def _are_same(one: CampaignIdentity, other: CampaignIdentity, agree: Callable[[str, str], bool]) -> bool:
    if not (one.is_import and other.is_import):
        return one.is_same(other)
    return one.short_name == other.short_name and agree(one.run_id, other.run_id)


def _new_name(campaign: CampaignIdentity, taken: Collection[str]) -> str:
    """Return the longer name; that of an import as often longer as others have it: their starts tell them not apart."""
    longer = replace(campaign, run_id=campaign.longer_name)
    while campaign.is_import and longer.run_id in taken:
        longer = replace(longer, run_id=longer.longer_name)
    return longer.run_id
