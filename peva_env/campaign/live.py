"""Live campaigns: starts node, load generator, memory and artifacts together, and stops them in order."""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env import __version__
from peva_env.campaign.annotations import GrafanaAnnotations, grafana_token
from peva_env.campaign.artifacts import ArtifactWriter
from peva_env.campaign.budget import Budget
from peva_env.campaign.campaign import Campaign, CompleteConfigs
from peva_env.campaign.canary import Canary
from peva_env.campaign.confirmation import Confirmation
from peva_env.campaign.executor import DfaasConfigExecutor
from peva_env.campaign.factories import make_memory, make_platform, make_source, measurement_context
from peva_env.campaign.host import require_options
from peva_env.campaign.scouting import with_scouted_rates
from peva_env.config import DfaasConfig
from peva_env.contracts import DfaasRunContext, ExecutionEvent, Ledger
from peva_env.errors import ConfigError
from peva_env.inference import MonotoneMap
from peva_env.memory import MAX_REPETITION, REFINED, Session, digest, left_as_it_was, rules_in, scouted_steps
from peva_env.planning import DfaasPlanBuilder, Refinement
from peva_env.sources import LiveSource
from peva_env.space import Dominance, config_pairs


class LiveCampaigns:
    """The host of live campaigns: owns the node, the memory and the artifacts.

    Args:
        config: the configuration.
        budget_runs: k6 runs that a campaign may spend.
        budget_seconds: seconds of machine time that it may spend.
        ledger: decides how many runs a configuration needs; by default those that the configuration asks for.
    """

    def __init__(
        self,
        config: DfaasConfig,
        *,
        budget_runs: int | None = None,
        budget_seconds: float | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        config = with_scouted_rates(config)
        planner = DfaasPlanBuilder(config)
        self.space, self._chosen = planner.build_space(), planner.build_chosen()
        self.refinement: Refinement | None = None
        if config.refine_share is not None:
            self.refinement = Refinement(self.space, config.refine_share)
            self.space = self.refinement.space
        self.output_dir = Path(config.output_dir)
        self.memory = make_memory(config, ledger)
        self._config = config
        self._budget = (budget_runs, budget_seconds)
        self._platform = make_platform(config)
        self._source: LiveSource | None = None
        self._artifacts: ArtifactWriter | None = None
        self._annotations: GrafanaAnnotations | None = None

    @property
    def paths(self) -> list[Path]:
        """The files written so far, and the folder of k6's output files."""
        others = [path for path in (Path(self._config.memory.db_path), self.output_dir / "k6") if path.exists()]
        return others + (self._artifacts.paths if self._artifacts else [])

    def check(self, options: Mapping[str, Any]) -> None:
        """Check the options of ``open``: ``{"warm_start": True}`` or ``{"repetition": N}``.

        Raises:
            ConfigError: an unknown option, or a repetition that the memory cannot hold.
        """
        require_options(options, "warm_start", "repetition")
        repetition = options.get("repetition")
        if repetition is not None and not (type(repetition) is int and 1 <= repetition <= MAX_REPETITION):
            raise ConfigError(f"repetition = {repetition!r}: must be a whole number from 1 to {MAX_REPETITION:,}")

    def open(self, options: Mapping[str, Any], seed: int) -> Campaign:  # noqa: ARG002 - a live node has no seed
        """Start node and memory, unless they run, and begin or resume a campaign.

        Raises:
            PevaError: k6, the node, the memory or the artifacts cannot be used; everything started is stopped.
        """
        try:
            source, artifacts = self._started(options)
            session = self._session(source, options)
            return self._campaign(source, artifacts, session)
        except BaseException:
            self.close()
            raise

    def config_data(self) -> dict[str, Any]:
        """Return the configuration as plain data."""
        return self._config.model_dump(mode="json")

    def close(self) -> None:
        """Stop the node and close the memory; may be called twice."""
        if self._source:
            self._source.close()
        self._platform.stop()
        self.memory.close()
        self._source = None
        if self._annotations:
            self._annotations.close()

    def _started(self, options: Mapping[str, Any]) -> tuple[LiveSource, ArtifactWriter]:
        """Start k6, node, memory and artifacts; a failure leaves no new memory behind."""
        if self._source is not None and self._artifacts is not None and self._platform.failure() is None:
            return self._source, self._artifacts
        self.close()  # a node whose function died is restarted
        self._source = source = make_source(self._config, self._platform)
        grafana = self._config.grafana
        self._annotations = GrafanaAnnotations(grafana, grafana_token(grafana)) if grafana else None
        self._platform.start()
        with left_as_it_was(self.memory.store):
            self.memory.startup(partial(self._session, source, options))
            self._artifacts = ArtifactWriter(self.output_dir, self.space.functions)
        return source, self._artifacts

    def _session(self, source: LiveSource, options: Mapping[str, Any]) -> Session:
        repetition = options.get("repetition") or self._next_repetition(source.context_hash, options)
        context = measurement_context(self._config, self._platform, source.generator.version)
        if self.refinement:
            grid = self.refinement.grid
            context[REFINED] = {name: list(rates) for name, rates in zip(grid.functions, grid.rates_rps, strict=True)}
        return Session(
            run_id=self._run_id(repetition, context),
            repetition=repetition,
            context_hash=source.context_hash,
            context=context,
            selection_mode=self._config.selection_mode,
            seed=self._config.seed,
            k6_version=source.generator.version,
            package_version=__version__,
        )

    def _next_repetition(self, context_hash: str, options: Mapping[str, Any]) -> int:
        """Return the repetition to go on with in a warm start, else a new one."""
        store = self.memory.store
        if options.get("warm_start"):
            return max(1, store.last_repetition(context_hash, rechecks=False))
        return store.last_repetition(context_hash) + 1

    def _run_id(self, repetition: int, context: Mapping[str, Any]) -> str:
        """Return the name of a campaign.

        A name that the user gave is the name of one campaign, and a campaign has one set of overload rules. So a
        campaign with other rules than the one of that name has a name of its own, the same at each resume.
        """
        given = self._config.run_id and f"{self._config.run_id}{'-refined' if self.refinement else ''}"
        if given is None:
            return f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(2)}"
        name = given if repetition == 1 else f"{given}-{repetition}"
        before, now = (rules_in(one) for one in (self.memory.store.context(name), context))
        if before is None or now is None or before.overload.as_context() == now.overload.as_context():
            return name
        return f"{name}-{digest(json.dumps(now.overload.as_context(), sort_keys=True))[:8]}"

    def _canary(self) -> Canary | None:
        """Return the canary of the configuration, if any; it rests for as long as a node may take to become idle."""
        config = self._config
        rest_s = config.cooldown.max_wait_seconds
        return Canary(config.canary, config.iterations, rest_s) if config.canary.is_on else None

    def _confirmation(self, known: MonotoneMap) -> Confirmation | None:
        """Return what confirms the map at its end, if the configuration asks for it.

        Raises:
            ConfigError: the plan is too large for a certificate.
        """
        config = self._config
        if config.confirm is None:
            return None
        if known.labels is None:
            raise ConfigError(f"confirm: the plan has {known.n_configs:,} configurations, too many for a certificate")
        return Confirmation(config.confirm, config.overload, config.duration_s, known, config.iterations)

    def _counted_at_first(self, history: Sequence[ExecutionEvent]) -> NDArray[np.bool_] | None:
        """Return the configurations that count when a campaign begins, (N,); None for all."""
        if self.refinement is not None:
            return self.refinement.counted_at_first(history)
        return None if self._chosen is None else np.isin(np.arange(self.space.n_configs), self._chosen.indices)

    def _campaign(self, source: LiveSource, artifacts: ArtifactWriter, session: Session) -> Campaign:
        history = self.memory.open_session(session)
        usual: Dominance = "within_sets" if self.refinement else "one_sided"
        known = MonotoneMap(
            self.space, dominance=self._config.dominance or usual, recorded=self._counted_at_first(history)
        )
        budget = Budget(*self._budget)
        context = DfaasRunContext(
            configs=self.space if self._chosen is None else self._chosen,
            existing_index=CompleteConfigs(known),
            function_names=list(self.space.functions),
            target_name=self._platform.name,
            run_id=session.run_id,
            output_dir=self.output_dir,
            repetition=session.repetition,
        )
        executor = self._executor(replace(source, run_id=session.run_id), artifacts, known, context, budget)
        executor.restore(history)
        if executor.canary:
            history = self.memory.history()  # with the runs that became suspect just now
        scouted = scouted_steps(self.memory.store.database.connection, session.context_hash)
        if self._annotations:
            executor.on_end = self._annotations.end
            begins = f"peva-env campaign {session.run_id} on {self._platform.name}"
            self._annotations.begin(session.run_id, f"{begins}: {known.n_unknown} configurations unknown")
        return Campaign(
            known=known,
            budget=budget,
            executor=executor,
            context=context,
            tensors=self.memory.tensors,
            history=(*scouted, *history),
            read_history=lambda: [*scouted, *self.memory.history()],
            n_judged_anew=sum(config_pairs(key) in self.space for key in self.memory.judged_anew),
            goes_on_with_some=self._chosen is not None and bool(history),
            observers=(self._annotations,) if self._annotations else (),
            refinement=self.refinement,
        )

    def _executor(
        self,
        source: LiveSource,
        artifacts: ArtifactWriter,
        known: MonotoneMap,
        context: DfaasRunContext,
        budget: Budget,
    ) -> DfaasConfigExecutor:
        return DfaasConfigExecutor(
            source=source,
            memory=self.memory,
            artifacts=artifacts,
            known=known,
            context=context,
            context_hash=source.context_hash,
            max_invalid_retries=self._config.max_invalid_retries,
            budget=budget,
            iterations=self._config.iterations,
            canary=self._canary(),
            confirmation=self._confirmation(known),
        )
