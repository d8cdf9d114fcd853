"""The map: the label of every configuration, measured or inferred.

Notation: ``N`` configurations in plan order; ``labels`` holds one int8 per configuration: -1 OK, 0 unknown, 1
overloaded. Dominance is defined in ``peva_env.inference.grid``, contradictions in
``peva_env.inference.contradictions``.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import Verdict
from peva_env.inference.contradictions import Evidence
from peva_env.inference.grid import OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, RateGrid
from peva_env.inference.large_spaces import Extremes
from peva_env.inference.records import Certificate, Dispute, Status
from peva_env.space import Config, ConfigKey, ConfigSpace, Dominance, config_key, config_pairs

LABELS = {Verdict.OVERLOADED: OVERLOADED_LABEL, Verdict.OK: OK_LABEL}
VERDICTS = {label: verdict for verdict, label in LABELS.items()}


class MonotoneMap:
    """Labels of a space's configurations, kept up to date as verdicts arrive.

    ``labels`` is None for spaces beyond ``DENSE_LIMIT``; methods that need it say so. ``recorded`` (N,) marks the
    configurations that count, because they can be measured or are in the plan; by default all. Only these get labels
    and count in ``n_unknown``. A measurement of another configuration is evidence all the same. Contradictions are
    searched for unless the dominance is one-sided; with ``doubts`` then, too.
    """

    def __init__(
        self,
        space: ConfigSpace,
        *,
        dominance: Dominance = "one_sided",
        grid: RateGrid | None = None,
        recorded: NDArray[np.bool_] | None = None,
        doubts: bool = False,
    ) -> None:
        self.space = space
        self.dominance: Dominance = dominance
        self.labels: NDArray[np.int8] | None = np.zeros(space.n_configs, np.int8) if space.is_dense else None
        self.n_configs = space.n_configs if recorded is None else int(np.count_nonzero(recorded))
        self.n_unknown = self.n_configs
        self.recorded = recorded
        self._has_doubts = doubts or dominance != "one_sided"
        self._evidence: Evidence | None = None
        if self.labels is not None:
            self._grid = grid or RateGrid(space)
            self._evidence = Evidence(self._grid, dominance)
        self._entered: list[int] = []  # measured, but not in ``_verdicts`` yet: ``measured`` makes their keys
        self._verdicts: dict[ConfigKey, Verdict] = {}
        self._extremes = Extremes(space, dominance)

    @property
    def grid(self) -> RateGrid | None:
        """The configurations as arrays; None beyond ``DENSE_LIMIT``."""
        return self._grid if self.labels is not None else None

    @property
    def measured(self) -> dict[ConfigKey, Verdict]:
        """The measured verdicts, by configuration key."""
        if self._evidence is not None:
            for index in self._entered:
                self._verdicts[config_key(self.space.config(index))] = VERDICTS[self._evidence.labels[index]]
            self._entered.clear()
        return self._verdicts

    def counts(self, config: Config) -> bool:
        """Tell whether a configuration is one of those that can be measured."""
        return config in self.space and (self.recorded is None or bool(self.recorded[self.space.index(config)]))

    def verdict(self, config: Config) -> Verdict | None:
        """Return the measured or inferred verdict of a configuration, or None."""
        if self.labels is not None and config in self.space:
            return VERDICTS.get(int(self.labels[self.space.index(config)]))
        own = self.measured.get(config_key(config))
        evidence = None if own else self.evidence(config)
        return own or (evidence[1] if evidence else None)

    def evidence(self, config: Config) -> tuple[Config, Verdict] | None:
        """Return a measured configuration that implies this configuration's verdict, and the verdict, or None."""
        if self._evidence is None:
            telling = self._extremes.telling(config)
            return telling and (telling[0], VERDICTS[telling[1]])
        index = self.space.index(config)
        for label, verdict in VERDICTS.items():
            believed = self._evidence.believed(label)
            bases = believed[self._grid.reached(index, -label, believed, self.dominance) & (believed != index)]
            if bases.size and not (label == OK_LABEL and self.dominance == "one_sided"):
                return self.space.config(int(bases[0])), verdict
        return None

    def update(self, config: Config, verdict: Verdict) -> NDArray[np.int64]:
        """Enter a measured verdict and return the indices that became known by it, in plan order.

        In a space beyond ``DENSE_LIMIT`` the result holds at most the configuration itself, and ``n_unknown`` is an
        upper bound. A measured label replaces the inferred label of its own configuration.

        Raises:
            ValueError: the verdict is INVALID, which is never a label, or the configuration is not in the space.
        """
        if verdict not in LABELS:
            raise ValueError(f"{verdict} is not a label: the label of {config} is unchanged")
        return self.enter(self.space.index(config), LABELS[verdict])

    def enter(self, index: int, label: int) -> NDArray[np.int64]:
        """Enter a measured label by index; see ``update``."""
        if self.labels is None or self._evidence is None:
            resolved = self._enter_sparsely(self.space.config(index), index, label)
        else:
            known = int(self.labels[index])
            # Without contradictions, a measurement of an unknown configuration cannot cause one.
            is_new = known == UNKNOWN_LABEL and self._counts(index) and not self._evidence.contradicting
            has_changed = self._evidence.labels.get(index, label) != label
            self._evidence.labels[index] = label
            self._entered.append(index)
            if not self._has_doubts and has_changed:
                resolved = self._infer_anew(self.labels, self._evidence)
            elif not self._has_doubts or (is_new and self.dominance != "one_sided"):
                resolved = self._spread(self.labels, index, label)
            elif known == label and not self._evidence.contradicting:
                resolved = np.array([], np.int64)
            else:
                resolved = self._settle(self.labels, self._evidence)
        self.n_unknown -= len(resolved)
        return resolved

    def update_all(self, verdicts: Mapping[ConfigKey, Verdict]) -> None:
        """Enter many measured verdicts; same result as ``update`` for each, but only one search for contradictions."""
        labels = {self.space.index(config_pairs(key)): LABELS[verdict] for key, verdict in verdicts.items()}
        if self.labels is None or self._evidence is None or not self._has_doubts:
            for index, label in labels.items():
                self.enter(index, label)
            return
        self._evidence.labels.update(labels)
        self._entered += labels
        resolved = self._settle(self.labels, self._evidence)  # which counts configurations that became unknown
        self.n_unknown -= len(resolved)

    def count_also(self, cells: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Let further configurations count (N,), and return the indices of those that are known by that.

        Raises:
            ValueError: the space is beyond ``DENSE_LIMIT``.
        """
        labels, evidence = self._dense()
        if self.recorded is None:
            return np.array([], np.int64)
        n_more = int(np.count_nonzero(cells & ~self.recorded))
        self.recorded = self.recorded | cells
        self.n_configs += n_more
        self.n_unknown += n_more
        infer = self._settle if self._has_doubts else self._infer_anew
        resolved = infer(labels, evidence)
        self.n_unknown -= len(resolved)
        return resolved

    def forget(self, *configs: Config) -> None:
        """Drop measured verdicts, and all that follows from them alone, as if these had not been measured."""
        gone = set(map(config_key, configs))
        kept = {key: verdict for key, verdict in self.measured.items() if key not in gone}
        self._verdicts, self._entered = {}, []
        self._extremes = Extremes(self.space, self.dominance)
        self.n_unknown = self.n_configs
        if self.labels is not None and self._evidence is not None:
            self.labels[:] = UNKNOWN_LABEL
            self._evidence.forget(self.space.index(config) for config in configs)
        self.update_all(kept)

    def quarantine(self, *configs: Config) -> NDArray[np.int64]:
        """Put contradicted measurements in quarantine, and return the indices that became known by that.

        They have their own labels again, and nothing is inferred from them. The other measurement of the contradiction
        stays contradicted until it is in quarantine, too, or is measured again with another verdict; see
        ``peva_env.inference.contradictions``.

        Raises:
            ValueError: a configuration was not measured, or the space is beyond ``DENSE_LIMIT``.
        """
        labels, evidence = self._dense()
        if not configs:
            return np.array([], np.int64)
        for config in configs:
            index = self.space.index(config)
            if index not in evidence.labels:
                raise ValueError(f"{config} was not measured: there is nothing to put in quarantine")
            evidence.quarantine(index)
        resolved = self._settle(labels, evidence)
        self.n_unknown -= len(resolved)
        return resolved

    def disputed(self) -> list[Config]:
        """Return the measured configurations that are contradicted and outside quarantine; their labels are unknown.

        Empty beyond ``DENSE_LIMIT``, where contradictions are not searched: each measurement keeps its own label.
        """
        return [self.space.config(index) for index in self._evidence.disputed()] if self._evidence else []

    def disputes(self) -> list[Dispute]:
        """Return all contradictions found so far, with their state; none beyond ``DENSE_LIMIT``."""
        if self._evidence is None:
            return []
        return [self._dispute(pair, self._evidence) for pair in sorted(self._evidence.ever_contradicting)]

    def quarantined(self) -> list[Config]:
        """Return the measurements in quarantine, in plan order; none beyond ``DENSE_LIMIT``."""
        return [self.space.config(index) for index in self._evidence.quarantined()] if self._evidence else []

    def contradictions(self) -> list[tuple[Config, Config]]:
        """Return contradicting pairs of measured configurations: an overloaded one, and an OK one above it.

        Raises:
            ValueError: the space is beyond ``DENSE_LIMIT``.
        """
        _, evidence = self._dense()
        return [(self.space.config(low), self.space.config(high)) for low, high in evidence.contradicting]

    def status(self) -> NDArray[np.int8]:
        """Return the ``Status`` of each configuration, (N,).

        Raises:
            ValueError: the space is beyond ``DENSE_LIMIT``.
        """
        labels, evidence = self._dense()
        status = np.where(labels == UNKNOWN_LABEL, np.int8(Status.UNKNOWN), np.int8(Status.INFERRED))
        status[list(evidence.labels)] = Status.MEASURED
        status[evidence.contradicted] = Status.CONTRADICTED
        return status

    def frontier(self) -> tuple[list[Config], list[Config]]:
        """Return the lowest overloaded and the highest OK configurations, in plan order; unknown ones lie between.

        All of them are measured: inferred overloaded ones lie above them, inferred OK ones below them.

        Raises:
            ValueError: the space is beyond ``DENSE_LIMIT``.
        """
        _, evidence = self._dense()
        overloaded, ok = (
            [self.space.config(int(index)) for index in evidence.proof(label)] for label in (OVERLOADED_LABEL, OK_LABEL)
        )
        return overloaded, ok

    def certificate(self) -> Certificate:
        """Return the certificate, with a lower bound on the remaining runs.

        Raises:
            ValueError: the space is beyond ``DENSE_LIMIT``.
        """
        labels, _ = self._dense()
        unknown = labels == UNKNOWN_LABEL
        if self.recorded is not None:
            unknown &= self.recorded
        left = self._grid.n_groups(unknown.nonzero()[0], self.dominance)
        return Certificate(*self.frontier(), left)

    def _dispute(self, pair: tuple[int, int], evidence: Evidence) -> Dispute:
        low, high = map(self.space.config, pair)
        if pair not in evidence.contradicting:
            return Dispute(low, high, "settled")
        return Dispute(low, high, "open" if evidence.is_open(pair) else "quarantine")

    def _counts(self, index: int) -> bool:
        return self.recorded is None or bool(self.recorded[index])

    def _dense(self) -> tuple[NDArray[np.int8], Evidence]:
        if self.labels is None or self._evidence is None:
            raise ValueError(f"{self.space.n_configs:,} configurations are too many for an array of labels")
        return self.labels, self._evidence

    def _spread(self, labels: NDArray[np.int8], index: int, label: int) -> NDArray[np.int64]:
        """Label all configurations that an uncontradicted measurement implies."""
        if label == OK_LABEL and self.dominance == "one_sided":
            is_fresh = labels[index] == UNKNOWN_LABEL and self._counts(index)
            fresh = np.array([index] if is_fresh else [], np.int64)
        else:
            scope = self._grid.scope(index, self.dominance)
            reached = self._grid.reached(index, label, scope, self.dominance)
            reached &= labels[scope] == UNKNOWN_LABEL
            if self.recorded is not None:
                reached &= self.recorded[scope]
            fresh = reached.nonzero()[0] + (scope.start or 0)
        labels[fresh] = label
        if self._counts(index):
            labels[index] = label
        return fresh

    def _settle(self, labels: NDArray[np.int8], evidence: Evidence) -> NDArray[np.int64]:
        """Recompute all labels from the measurements; return the indices that became known by it."""
        was_unknown = labels == UNKNOWN_LABEL
        evidence.look_for_contradictions()
        labels[:] = UNKNOWN_LABEL
        for label in (OVERLOADED_LABEL,) if self.dominance == "one_sided" else VERDICTS:
            for index in evidence.proof(label):
                scope = self._grid.scope(int(index), self.dominance)
                labels[scope][self._grid.reached(int(index), label, scope, self.dominance)] = label
        labels[list(evidence.labels)] = list(evidence.labels.values())
        labels[evidence.contradicted] = UNKNOWN_LABEL
        if self.recorded is not None:
            labels[~self.recorded] = UNKNOWN_LABEL
        return self._became_known(labels, was_unknown)

    def _infer_anew(self, labels: NDArray[np.int8], evidence: Evidence) -> NDArray[np.int64]:
        """Recompute all labels of one-sided dominance; return the indices that became known by it."""
        was_unknown = labels == UNKNOWN_LABEL
        labels[:] = UNKNOWN_LABEL
        for index, label in sorted(evidence.labels.items(), key=lambda entry: entry[1] == OK_LABEL):
            self._spread(labels, index, label)  # overloaded ones first: a measured label outranks an inferred one
        return self._became_known(labels, was_unknown)

    def _became_known(self, labels: NDArray[np.int8], was_unknown: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count the configurations that became unknown, and return the indices of those that became known."""
        is_unknown = labels == UNKNOWN_LABEL
        self.n_unknown += int(np.count_nonzero(is_unknown & ~was_unknown))
        fresh: NDArray[np.int64] = (was_unknown & ~is_unknown).nonzero()[0]
        return fresh

    def _enter_sparsely(self, config: Config, index: int, label: int) -> NDArray[np.int64]:
        was_known = self.verdict(config) is not None
        self._verdicts[config_key(config)] = VERDICTS[label]
        self._extremes.add(config, label)
        return np.array([] if was_known else [index], np.int64 if index <= np.iinfo(np.int64).max else np.object_)
