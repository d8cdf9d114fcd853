"""The section of a report on its sources: the memory, the campaigns and the context."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from peva_env import __version__
from peva_env.contracts import ending_text
from peva_env.maps import CampaignRecord, NodeMap
from peva_env.report.texts.formats import Entry
from peva_env.system import moment_text

CAMPAIGN_COLUMNS = ("campaign", "status", "agent", "seed", "updates", "began", "ended", "k6", "peva-env")


def provenance(node_map: NodeMap, made_at: float) -> Iterator[Entry]:
    """Yield the memory, context, repetition and version that the report is made from."""
    yield "memory", Path(node_map.memory).name
    yield "context", node_map.context_hash
    yield "repetition", str(node_map.repetition)
    yield "report made", f"{moment_text(made_at)} by peva-env {__version__}"


def campaign_row(campaign: CampaignRecord) -> Sequence[str]:
    """Return a campaign as texts under ``CAMPAIGN_COLUMNS``."""
    values = (
        campaign.run_id,
        ending_text(campaign.status, campaign.detail),
        campaign.agent,
        campaign.seed,
        campaign.selection_mode,
        moment_text(campaign.started_at),
        moment_text(campaign.ended_at),
        campaign.k6_version,
        campaign.package_version,
    )
    return ["-" if value in (None, "") else str(value) for value in values]


def context_text(node_map: NodeMap) -> str:
    """Return the context as indented JSON."""
    return json.dumps(node_map.context, indent=2, sort_keys=True, ensure_ascii=False)
