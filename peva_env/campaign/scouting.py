"""Scoutings of a live node: starts node, load generator and memory, and stops them in order."""

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from peva_env import __version__
from peva_env.campaign.factories import make_generator, make_memory, make_platform, make_source, measurement_context
from peva_env.campaign.ray_scout import RayScout, ScoutObserver
from peva_env.config import AutoRates, DfaasConfig
from peva_env.contracts import EndReason, EndStatus, ExecutionEvent
from peva_env.errors import ConfigError, PevaError
from peva_env.memory import (
    NO_REPETITION,
    DuckDBMemoryStore,
    Session,
    context_hash,
    left_as_it_was,
    reading,
    scouted_steps,
)
from peva_env.planning import Limits, rays, scouted_config, together
from peva_env.sources import LiveSource
from peva_env.system import uninterrupted

AGENT = "scout"
"""The name of the agent in the session of a scouting."""


@dataclass(frozen=True, slots=True)
class Scouting:
    """The steps of a scouting in their order.

    ``is_complete``: no step was left out for lack of time. ``decides``: ``type: auto`` chooses the rates of its context
    from it.
    """

    events: Sequence[ExecutionEvent]
    is_complete: bool
    decides: bool


def scout(config: DfaasConfig, observer: ScoutObserver, *, run_id: str | None = None) -> Scouting:
    """Scout the node of a configuration: each function alone, then all together if they are ever loaded together.

    Each step is in the memory when the observer is told of it. ``run_id`` names the scouting, which is new.

    Raises:
        PevaError: k6, the node or the memory cannot be used, or a ray has no valid step; its steps are stored.
    """
    platform = make_platform(config)
    source = make_source(config, platform)
    store = make_memory(config).store
    try:
        session = _session(config, source, run_id)
        platform.start()
        with left_as_it_was(store):
            store.startup()
            store.open_session(session)
        store.name_agent(session.run_id, AGENT)
        events, status = _scouted(config, replace(source, run_id=session.run_id), store, session.run_id, observer)
        deciding = scouted_steps(store.database.connection, session.context_hash)
        decides = bool(deciding) and deciding[0].run_id == session.run_id
        return Scouting(events, status is EndStatus.COMPLETE, decides)
    finally:
        source.close()
        store.close()


def planned(config: DfaasConfig) -> DfaasConfig:
    """Return a configuration of ``type: auto`` with the rates of its stored scouting; any other, or without one, as is.

    Raises:
        ConfigError: a function bears no load.
        PevaError: k6, the node or the memory cannot be read.
    """
    steps = _stored_steps(config) if config.needs_scouting else []
    return scouted_config(config, steps) if steps else config


def with_scouted_rates(config: DfaasConfig) -> DfaasConfig:
    """Return a configuration whose rates are known: see ``planned``.

    Raises:
        ConfigError: nothing is scouted in this context yet, or a function bears no load.
        PevaError: k6, the node or the memory cannot be read.
    """
    known = planned(config)
    if known.needs_scouting:
        raise ConfigError(
            f"rate_strategy.type auto: memory {config.memory.db_path} holds no complete scouting of this context yet: "
            "scout first with `peva-env scout`"
        )
    return known


def with_known_rates(config: DfaasConfig, scout: Callable[[], Scouting]) -> DfaasConfig:
    """Return a configuration whose rates are known; ``scout`` scouts its node if they have to be found.

    Raises:
        PevaError: the scouting failed or ran out of time, or a function bears no load.
    """
    known = planned(config)
    if not known.needs_scouting:
        return known
    if not scout().is_complete:
        max_time = scouting_rates(config).max_time
        raise PevaError(f"rate_strategy.max_time {max_time}: was too short for all rays; give more time")
    return with_scouted_rates(config)


def scouting_rates(config: DfaasConfig) -> AutoRates:
    """Return the bounds of a scouting: those of the configuration, or the defaults."""
    return config.rate_strategy if isinstance(config.rate_strategy, AutoRates) else AutoRates(type="auto")


def _stored_steps(config: DfaasConfig) -> list[ExecutionEvent]:
    if not Path(config.memory.db_path).exists():
        return []
    with closing(make_generator(config)) as generator:
        context = measurement_context(config, make_platform(config), generator.version)
    with reading(config.memory.db_path, config.memory.schema_version) as connection:
        return scouted_steps(connection, context_hash(context))


def _session(config: DfaasConfig, source: LiveSource, run_id: str | None) -> Session:
    return Session(
        run_id=run_id or f"{AGENT}-{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(2)}",
        repetition=NO_REPETITION,
        context_hash=source.context_hash,
        context=measurement_context(config, source.platform, source.generator.version),
        k6_version=source.generator.version,
        package_version=__version__,
    )


def _scouted(
    config: DfaasConfig, source: LiveSource, store: DuckDBMemoryStore, run_id: str, observer: ScoutObserver
) -> tuple[list[ExecutionEvent], EndStatus]:
    """Scout all rays, and record in the session how that ended."""
    rates = scouting_rates(config)
    limits = Limits(rates.max_rate, config.max_total_rate)

    def store_one(event: ExecutionEvent) -> None:
        with uninterrupted():
            store.insert_events([store.clock.ordered(event)])

    ray_scout = RayScout(
        source=source,
        store=store_one,
        observer=observer,
        run_id=run_id,
        repetition=NO_REPETITION,
        step_s=rates.step_s,
        max_time_s=rates.max_time_s,
        max_invalid_retries=config.max_invalid_retries,
    )
    status, detail = EndStatus.INTERRUPTED, f"{EndReason.INTERRUPTED}: steps are left"
    try:
        singles = [ray_scout.scout(climb) for climb in rays(config, limits).values()]
        found = [bracket for bracket in singles if bracket]
        is_together = config.combinations.max_functions > 2 and len(found) == len(config.functions)
        all_at_once = together(found, limits) if is_together else []
        if all_at_once:
            ray_scout.scout(all_at_once)
        if ray_scout.is_out_of_time:
            status, detail = EndStatus.BUDGET, f"{EndReason.SECONDS}: all {rates.max_time_s:,g} s are spent"
        else:
            status, detail = EndStatus.COMPLETE, f"{EndReason.COMPLETE}: every ray was scouted"
    except PevaError as error:
        status, detail = EndStatus.FAILED, str(error)
        raise
    finally:
        store.close_session(run_id, status, detail)
    return ray_scout.events, status
