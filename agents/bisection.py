"""Bisection of a partially ordered set: the configuration whose verdict resolves most even if it is the worse one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.lattice import Blocks, Lattice, lattice_size
from peva_env.config import DfaasConfig
from peva_env.contracts import CampaignView, Verdict
from peva_env.frontier import MonotoneMap, is_dense
from peva_env.rate_grid import OK_LABEL, OVERLOADED_LABEL, RateGrid
from peva_env.space import ConfigKey, ConfigSpace, config_key

_CELLS_PER_CONFIG = 32
"""A lattice with more cells than so many times the configurations costs more than looking at a sample of them."""

_N_CANDIDATES = 256
_N_WITNESSES = 2048
"""Where all are too many: so many candidates are compared, by how many of so many others each would resolve."""


class BisectionAgent:
    """Maximizes the least number of configurations that become known, by either verdict, under two-sided dominance.

    That is within each set of functions, or across them where the campaign infers so. What it says already is asked
    for last, and then in plan order: it is still unknown only where the environment itself infers less. Ties are drawn
    with the configuration's seed (0 if it has none), which is drawn from on and on, so that the campaigns of one agent
    differ.
    """

    name = "bisection"

    def __init__(self, config: DfaasConfig | None = None) -> None:
        self._rng = np.random.default_rng((config.seed if config else None) or 0)

    def begin(self, campaign: CampaignView) -> None:
        """Lay out the lattice of the space, or get ready to look at samples of it."""
        space = campaign.policy_context().space
        self._lattice = self._laid_out(space, crosses_sets=campaign.dominance == "two_sided")
        self._sampled = None if self._lattice else SampledBisection(campaign, space, self._rng)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """Return an action, or None where nothing is left."""
        if self._sampled is not None:
            return self._sampled.act(info)
        legal = np.asarray(info["action_mask"], np.bool_)
        if not legal.any():
            return None
        assert self._lattice is not None  # noqa: S101 - either this or the samples
        return self._bisecting(self._lattice, legal, np.asarray(observation["map"]))

    def _laid_out(self, space: ConfigSpace, *, crosses_sets: bool) -> Lattice | Blocks | None:
        if not is_dense(space):
            return None
        if not crosses_sets:
            return Blocks(space)
        fits = lattice_size(space) <= _CELLS_PER_CONFIG * space.n_configs
        return Lattice(space, RateGrid(space).rates_rps) if fits else None

    def _bisecting(self, lattice: Lattice | Blocks, legal: NDArray[np.bool_], labels: NDArray[np.int8]) -> int:
        inferred = lattice.at_or_above(labels == OK_LABEL) > 0
        inferred |= lattice.at_or_below(labels == OVERLOADED_LABEL) > 0
        unknown = legal & ~inferred
        if not unknown.any():
            return int(legal.argmax())
        resolved = np.minimum(lattice.at_or_below(unknown), lattice.at_or_above(unknown))
        resolved[~unknown] = 0
        return int(self._rng.choice(np.flatnonzero(resolved == resolved.max())))


class SampledBisection:
    """The same among candidates drawn at random, counted on others drawn at random: for many functions, few at once."""

    def __init__(self, campaign: CampaignView, space: ConfigSpace, rng: np.random.Generator) -> None:
        self._campaign = campaign
        self._space = space
        self._rng = rng
        self._known = MonotoneMap(space, dominance="two_sided")
        self._asked: set[ConfigKey] = set(campaign.run_context.existing_index)
        for event in campaign.policy_context().history:
            if event.verdict in (Verdict.OK, Verdict.OVERLOADED) and event.config_pairs in space:
                self._known.update(event.config_pairs, event.verdict)

    def act(self, info: Mapping[str, Any]) -> Any | None:
        """Return an action, or None where nothing was found that is unknown."""
        if "config" in info and "verdict" in info:
            self._known.update(info["config"], Verdict(info["verdict"]))
        drawn = self._unknown(self._drawn(info, _N_WITNESSES))
        if not drawn:
            return None
        rates_rps = np.array([self._rates(index) for index in drawn])  # (k, F)
        candidates = rates_rps[:_N_CANDIDATES]
        at_or_above = (rates_rps[None] >= candidates[:, None]).all(axis=2).sum(axis=1)
        at_or_below = (rates_rps[None] <= candidates[:, None]).all(axis=2).sum(axis=1)
        config = self._space.config(drawn[int(np.minimum(at_or_above, at_or_below).argmax())])
        self._asked.add(config_key(config))
        return self._campaign.action(config)

    def _drawn(self, info: Mapping[str, Any], n: int) -> list[int]:
        if is_dense(self._space):
            legal = np.flatnonzero(info["action_mask"])
            return [int(index) for index in self._rng.permutation(legal)[:n]]
        return list(dict.fromkeys(int(draw * self._space.n_configs) for draw in self._rng.random(n)))

    def _unknown(self, indices: list[int]) -> list[int]:
        """Return those of which nothing is known, or else those that were never asked for."""
        left = [index for index in indices if config_key(self._space.config(index)) not in self._asked]
        return [index for index in left if self._known.verdict(self._space.config(index)) is None] or left

    def _rates(self, index: int) -> list[int]:
        rates_rps = dict(self._space.config(index))
        return [rates_rps.get(name, 0) for name in self._space.functions]
