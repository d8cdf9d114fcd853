"""The model of the configuration file: its keys, and the rules between them."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import model_validator

from peva_env.config.k6 import require_environment, require_options, require_outputs, require_shareable, require_tags
from peva_env.config.keys import CampaignKeys
from peva_env.config.overload import FunctionOverloadConfig
from peva_env.config.platform import require_own_keys, without_rules_on_use
from peva_env.config.rates import RandomRates, migrate_rates
from peva_env.config.sections import MEMORY_FILE

_SHORTEST_TO_CUT_S = 5.0
_SHORTEST_TO_STOP_S = 10.0


class DfaasConfig(CampaignKeys):
    """A configuration whose keys fit together."""

    @model_validator(mode="before")
    @classmethod
    def _migrate_rates(cls, values: Any) -> Any:
        return migrate_rates(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _fill_in(self) -> Self:
        if "db_path" not in self.memory.model_fields_set:
            self.memory = self.memory.model_copy(update={"db_path": f"{self.output_dir}/{MEMORY_FILE}"})
        for strategy in (self.rate_strategy, *(function.rate_strategy for function in self.functions)):
            if isinstance(strategy, RandomRates) and strategy.seed is None:
                # A fixed seed: a resumed campaign must have the same plan.
                strategy.seed = self.seed or 0
        return self

    @model_validator(mode="after")
    def _gather_rules(self) -> Self:
        rules = dict(self.overload.functions)
        for i, function in enumerate(self.functions):
            if function.overload:
                name, there = function.name, self.overload.functions.get(function.name, FunctionOverloadConfig())
                rules[name] = there.with_rules(
                    function.overload, f"overload.functions.{name}", f"functions[{i}].overload"
                )
        if rules:
            self.overload = self.overload.model_copy(update={"functions": rules})
        names = [function.name for function in self.functions]
        for name in self.overload.functions:
            if name not in names:
                raise ValueError(f"overload.functions.{name}: there is no such function, only {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _suits_its_platform(self) -> Self:
        require_own_keys(self.functions, self.platform)
        if self.platform == "http" and self.prometheus_url is None:
            self.overload = without_rules_on_use(self.overload)
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [function.name for function in self.functions]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"functions: {names.count(name)} functions have the name {name!r}; names must be unique"
                )
        for name in self.function_pid_regexes:
            if name not in names:
                raise ValueError(
                    f"function_pid_regexes.{name}: there is no such function; there are: {', '.join(names)}"
                )
        if self.configurations and self.needs_scouting:
            raise ValueError("configurations: are chosen from rates; give rates instead of rate_strategy.type auto")
        shared = self.rate_strategy.generate_rates()
        for i, function in enumerate(self.functions):
            if not function.rates_rps(shared) and not self.needs_scouting:
                lowest = min((function.rate_strategy or self.rate_strategy).generate_rates())
                raise ValueError(
                    f"functions[{i}].max_rate = {function.max_rate} leaves {function.name!r} without a rate; "
                    f"the lowest rate is {lowest}: raise max_rate, add a lower rate or leave the function out"
                )
        if self.combinations.min_functions > len(names):
            raise ValueError(
                f"combinations.min_functions = {self.combinations.min_functions} is more than the "
                f"{len(names)} function(s) given"
            )
        heaviest = 0 if self.needs_scouting else self._heaviest_total_rate()
        if self.max_total_rate is not None and heaviest > self.max_total_rate:
            raise ValueError(
                f"max_total_rate = {self.max_total_rate}: the heaviest configuration of this plan offers {heaviest} "
                "requests/s; lower the rates, a function's max_rate or combinations.max_functions"
            )
        if self.selection_mode == "micro_batch":
            for key in ("micro_batch_size", "micro_batch_window_s"):
                if getattr(self, key) < 1:
                    raise ValueError(f"{key} = {getattr(self, key)}: must be at least 1 in micro_batch mode")
        return self

    @model_validator(mode="after")
    def _lasts_long_enough_to_be_cut(self) -> Self:
        if self.early_abort and self.duration_s < _SHORTEST_TO_CUT_S:
            raise ValueError(
                f"early_abort: k6 checks every 2 s, too late to shorten runs of duration {self.duration}; "
                f"set duration to at least {_SHORTEST_TO_CUT_S:g}s, or leave early_abort out"
            )
        if self.stop_early and self.duration_s < _SHORTEST_TO_STOP_S:
            raise ValueError(
                f"stop_early: needs 6 s to see that no queue grows, too late to shorten runs of duration "
                f"{self.duration}; set duration to at least {_SHORTEST_TO_STOP_S:g}s, or leave stop_early out"
            )
        if self.stop_early and (self.generators > 1 or self.ray):
            raise ValueError(
                "stop_early: reads the counts of one k6 on this machine; leave it out, or generators and ray"
            )
        return self

    @model_validator(mode="after")
    def _infers_what_it_bisects(self) -> Self:
        if self.refine is not None and self.dominance == "one_sided":
            raise ValueError(
                "refine: bisects, and so needs dominance within_sets or two_sided: below an OK load all is OK"
            )
        if self.refine is not None and self.configurations is not None:
            raise ValueError("refine: needs the whole plan, and configurations names some of it; leave one of them out")
        return self

    @model_validator(mode="after")
    def _leaves_the_measurement_whole(self) -> Self:
        require_outputs(self.k6_outputs)
        require_environment(self.k6_env, self.k6_env_from)
        require_tags(self.k6_tags)
        require_options(self.k6_options)
        require_shareable(
            self.generators, self.ray, outputs=self.k6_outputs, tags=self.k6_tags, dashboard=self.k6_dashboard
        )
        return self

    def _heaviest_total_rate(self) -> int:
        """Return the highest sum of rates in the plan, in requests per second."""
        shared = self.rate_strategy.generate_rates()
        tops = [max(function.rates_rps(shared)) for function in self.functions]
        return sum(sorted(tops, reverse=True)[: self.combinations.max_functions - 1])
