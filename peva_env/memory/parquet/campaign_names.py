"""Under which name the campaigns of one memory enter another.

A campaign is identified by its context, its repetition and the moment of its start. Its ``run_id`` is a name: a
configuration may choose it, and two nodes may be configured alike. The start of an import follows from the name or the
age of its file, and two files may be alike in both: an import is identified by its runs.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Self

import duckdb

from peva_env.memory.contexts import as_present, campaign_text, earlier_hashes
from peva_env.memory.schema import IMPORTED

_DIGITS = 8
_SUFFIX = 1 + _DIGITS
"""Characters that a longer name has more: a hyphen, and hexadecimal digits of the identity."""


@dataclass(frozen=True, slots=True)
class CampaignIdentity:
    """A campaign: its name, what identifies it, and its context as JSON.

    ``context_hash`` may be that of an earlier release, ``present_hash`` is that of this one.
    """

    run_id: str
    context_hash: str
    repetition: int
    started_at: float  # seconds since the epoch
    context_json: str
    is_import: bool  # its times are derived from a file's name or age, and tell nothing
    present_hash: str

    @property
    def context_key(self) -> tuple[str, int]:
        """What all campaigns of one context and repetition share."""
        return self.present_hash, self.repetition

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
        return self.context_key == other.context_key

    def __str__(self) -> str:
        """Return what tells the campaign from another one of its name."""
        return campaign_text(self.context_json, self.context_hash, self.repetition, self.started_at)


class Fit(Enum):
    """How the runs of an import fit those of another one of its name, if none has another value."""

    WITHIN = "the other one has all of them"
    BEYOND = "it has all runs of the other one, and more"


@dataclass(frozen=True, slots=True)
class NameClash:
    """An incoming campaign whose name another campaign of the memory has, and the name that it would get."""

    incoming: CampaignIdentity
    stored: CampaignIdentity
    new_name: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """Under which names incoming campaigns enter a memory.

    ``names`` holds the new name of each. ``clashes`` are those whose names others have. Each of ``torn`` is an import
    that goes on from several of the memory, with their names. ``spare`` are imports of which the memory has all runs,
    and which are the same campaign of the memory as another incoming one.
    """

    names: dict[str, str] = field(default_factory=dict)
    clashes: list[NameClash] = field(default_factory=list)
    torn: list[tuple[CampaignIdentity, list[str]]] = field(default_factory=list)
    spare: set[str] = field(default_factory=set)


def campaigns(connection: duckdb.DuckDBPyConnection, sessions: str) -> list[CampaignIdentity]:
    """Return the campaigns of an SQL relation with the columns of ``run_sessions``, in the order of their names."""
    present_hash = as_present(earlier_hashes(connection, sessions))
    rows = connection.execute(
        "SELECT run_id, coalesce(context_hash, ''), coalesce(repetition, 0), coalesce(started_at, 0), "  # noqa: S608
        f"coalesce(context_json, ''), coalesce(agent, '') = '{IMPORTED}', coalesce({present_hash}, '') "
        f"FROM {sessions} ORDER BY run_id"
    ).fetchall()
    return [CampaignIdentity(*row) for row in rows]


def settle_names(
    stored: Iterable[CampaignIdentity],
    incoming: Iterable[CampaignIdentity],
    fit: Callable[[CampaignIdentity, CampaignIdentity], Fit | None] = lambda _, __: None,
) -> Settlement:
    """Return under which names incoming campaigns enter a memory.

    A campaign that the memory has already, perhaps under its longer name, keeps the name that it has there. A campaign
    whose name another one has gets its longer name, and is a clash. An import is the same campaign as one of its name,
    or of a longer one, if their runs fit: the same file, perhaps at another time.

    Args:
        stored: the campaigns of the memory.
        incoming: the others.
        fit: tells how the runs of an incoming import fit those of a stored one, None if they are of two files.
    """
    by_name = {campaign.run_id: campaign for campaign in stored}
    by_context: dict[tuple[str, int], list[CampaignIdentity]] = {}
    for campaign in by_name.values():
        by_context.setdefault(campaign.context_key, []).append(campaign)
    incoming = list(incoming)
    taken = by_name.keys() | {campaign.run_id for campaign in incoming}
    settled = Settlement()
    grown: set[str] = set()  # two imports may both have grown from one that is there: the first is that one
    within: dict[str, list[str]] = {}
    for campaign in incoming:
        alike = by_context.get(campaign.context_key, [])
        of_its_start_first = sorted(alike, key=lambda known: known.started_at != campaign.started_at)
        fits = {known.run_id: _fit(campaign, known, fit) for known in of_its_start_first}
        same = [name for name, its in fits.items() if its is Fit.WITHIN]
        if not same:
            same = [name for name, its in fits.items() if its is Fit.BEYOND and name not in grown]
            if len(same) > 1:
                settled.torn.append((campaign, same))
        name = campaign.run_id
        if same and name not in same:
            name = same[0]
        elif not same and name in by_name:
            name = _new_name(campaign, taken)
            settled.clashes.append(NameClash(campaign, by_name[campaign.run_id], name))
        if same and campaign.is_import and fits[name] is Fit.WITHIN:
            within.setdefault(name, []).append(campaign.run_id)
        elif same:
            grown.add(name)
        settled.names[campaign.run_id] = name
        taken |= {name}
    for name, its in within.items():
        settled.spare.update(its if name in grown else its[1:])
    return settled


def doubled_name(stored: Iterable[CampaignIdentity], settled: Settlement) -> str | None:
    """Return a name that two campaigns would have under the new names, or None."""
    there = {campaign.run_id for campaign in stored}
    final = Counter(name for run_id, name in settled.names.items() if run_id not in settled.spare)
    doubled = [name for name, n in final.items() if n > 1]
    taken = [clash.new_name for clash in settled.clashes if clash.new_name in there]
    return next(iter(sorted(doubled + taken)), None)


def _fit(
    incoming: CampaignIdentity,
    stored: CampaignIdentity,
    fit: Callable[[CampaignIdentity, CampaignIdentity], Fit | None],
) -> Fit | None:
    if not (incoming.is_import and stored.is_import):
        return Fit.WITHIN if incoming.is_same(stored) else None
    return fit(incoming, stored) if incoming.short_name == stored.short_name else None


def _new_name(campaign: CampaignIdentity, taken: Collection[str]) -> str:
    """Return the longer name; that of an import as often longer as others have it: their starts tell them not apart."""
    longer = replace(campaign, run_id=campaign.longer_name)
    while campaign.is_import and longer.run_id in taken:
        longer = replace(longer, run_id=longer.longer_name)
    return longer.run_id
