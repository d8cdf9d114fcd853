"""The plan of a campaign, and an estimate of its cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from peva_env.config import DfaasConfig
from peva_env.errors import ConfigError
from peva_env.planning.candidates import Candidates
from peva_env.space import DENSE_LIMIT, ConfigSpace

_LOCAL_OVERHEAD_S = 0.4
"""Cooldown, k6 start and bookkeeping of one run on the local node; a measured value."""

_INTERVALS_OF_LOOKS = 6
"""Scrape intervals for which Prometheus makes one run wait, at most: 3.5 until the node was seen idle, and 2.5 until
the end of the run was scraped."""

_SCRAPES_OF_RUN = 2
"""Scrapes that a run must hold, so that a scrape interval is at most its duration divided by this."""

_USUAL_SCRAPE_S = 5.0
"""Scrape interval that the estimate assumes, if runs are long enough: a plan asks no Prometheus."""

_END_S = 32.0
"""Longest time between the last timeout of a request and the next run: k6's own margins, and one second of waiting."""

MAX_RUNS = 10**100
"""Runs of a plan whose cost can still be told as a number of seconds."""


@dataclass(frozen=True, slots=True)
class PlanEstimate:
    """The cost of a campaign that runs every configuration of the plan; skipped configurations make it cheaper.

    ``longest_s`` is an upper bound: each run waits as long for its requests, its cooldown and its metrics as it may.
    Runs that are repeated because they were INVALID are not in it.
    """

    n_configs: int
    n_runs: int
    load_s: float
    cooldown_s: float
    longest_s: float

    @property
    def total_s(self) -> float:
        """Load and cooldown, in seconds."""
        return self.load_s + self.cooldown_s


@dataclass(frozen=True)
class DfaasPlanBuilder:
    """Builds the plan of a configuration file."""

    config: DfaasConfig

    def build_function_names(self) -> list[str]:
        """Return the names of the functions, sorted."""
        return sorted(function.name for function in self.config.functions)

    def build_rates(self) -> list[int]:
        """Return the rates of all functions that have no others, in requests per second, ascending."""
        return self.config.rate_strategy.generate_rates()

    def build_rates_by_function(self, rates: Iterable[int]) -> dict[str, list[int]]:
        """Return the rates of those functions that have a strategy of their own or are capped by a ``max_rate``."""
        shared = list(rates)
        return {
            function.name: function.rates_rps(shared)
            for function in self.config.functions
            if function.rate_strategy is not None or function.max_rate is not None
        }

    def build_configurations(
        self,
        function_names: Iterable[str],
        rates: Iterable[int],
        rates_by_function: Mapping[str, Iterable[int]] | None = None,
    ) -> ConfigSpace:
        """Return the configurations in plan order, as a lazy sequence."""
        capped = rates_by_function or {}
        rates = list(rates)
        return ConfigSpace(
            {name: capped.get(name, rates) for name in function_names},
            min_functions=self.config.combinations.min_functions,
            max_functions=self.config.combinations.max_functions,
        )

    def build_space(self) -> ConfigSpace:
        """Return the whole plan of the configuration file.

        Raises:
            ConfigError: the rates of a function are not known before a scouting.
        """
        if self.config.needs_scouting:
            raise ConfigError(
                "rate_strategy.type auto: the rates are not known before a scouting; `peva-env scout` and "
                "`peva-env run` find them"
            )
        rates = self.build_rates()
        return self.build_configurations(self.build_function_names(), rates, self.build_rates_by_function(rates))

    def build_chosen(self) -> Candidates | None:
        """Return the configurations to measure, if the file names them; None if they are the whole plan.

        Raises:
            ConfigError: one of them is not in the plan, or the plan has too many configurations to choose from.
        """
        if self.config.configurations is None:
            return None
        space = self.build_space()
        if not space.is_dense:
            raise ConfigError(
                f"configurations: the plan has {space.n_configs:,} configurations, more than the {DENSE_LIMIT:,} of "
                "which some can be chosen; give fewer rates"
            )
        try:
            indices = {space.index(sorted(one.items())) for one in self.config.configurations}
        except ValueError as error:
            raise ConfigError(f"configurations: not in the plan: {error}") from error
        return Candidates(space, sorted(indices))

    def estimate(self) -> PlanEstimate:
        """Return the cost of the plan. The estimate counts one pause of the cooldown for each run.

        Raises:
            ConfigError: the plan has more than ``MAX_RUNS`` runs.
        """
        chosen = self.build_chosen()
        n_configs = self.build_space().n_configs if chosen is None else len(chosen)
        n_runs = n_configs * self.config.iterations
        if n_runs > MAX_RUNS:
            raise ConfigError(
                f"combinations.max_functions: the plan has more than {float(MAX_RUNS):.0e} runs; load fewer functions "
                "at once, or at fewer rates"
            )
        config = self.config
        load_s = config.warm_up_s + config.duration_s
        pause_s = 0.0 if config.platform == "local" else config.cooldown.sleep_step_seconds
        asks_prometheus = config.platform == "openfaas" or config.prometheus_url is not None
        looks = _INTERVALS_OF_LOOKS if asks_prometheus else 0
        longest_scrape_s = config.duration_s / _SCRAPES_OF_RUN
        cooldown_s = _LOCAL_OVERHEAD_S + pause_s + looks * min(_USUAL_SCRAPE_S, longest_scrape_s)
        waits_s = config.timeout_s + config.cooldown.max_wait_seconds + looks * longest_scrape_s + _END_S
        return PlanEstimate(n_configs, n_runs, n_runs * load_s, n_runs * cooldown_s, n_runs * (load_s + waits_s))

    def estimate_runtime_seconds(self) -> int:
        """Return load and cooldown of the whole plan in seconds, at least 1."""
        return max(1, round(self.estimate().total_s))
