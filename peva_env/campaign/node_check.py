"""The check of a node in the middle of a live campaign: runs the canary, and acts on what it says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from peva_env.campaign.budget import Budget
from peva_env.campaign.canary import Canary, lightest_ok
from peva_env.campaign.suspicion import Suspicion
from peva_env.contracts import CampaignObserver, ExecutionEvent, Verdict
from peva_env.errors import CanaryError, InvalidRunError
from peva_env.space import Config, config_key, config_pairs, config_text


@dataclass(slots=True)
class NodeCheck:
    """Runs the canary of one campaign when it is due. Without a known-OK configuration there is no canary."""

    canary: Canary
    suspicion: Suspicion
    budget: Budget
    max_invalid_retries: int

    @property
    def config(self) -> Config | None:
        """The canary: the one that failed or is not decided, else the lightest OK configuration; None without one."""
        key, known = self.canary.key, self.suspicion.known
        if key and (self.canary.has_failed or self.canary.is_undecided) and config_pairs(key) in known.space:
            return config_pairs(key)
        return lightest_ok(known)

    @property
    def is_due(self) -> bool:
        """Whether the canary has to run before any other run."""
        config = self.config
        return config is not None and self.canary.is_due(config_key(config))

    @property
    def has_unconfirmed(self) -> bool:
        """Whether a canary could confirm runs."""
        config = self.config
        return config is not None and bool(self.canary.unconfirmed(config_key(config)))

    def run(
        self, run_canary: Callable[[Config, float], ExecutionEvent], observers: Sequence[CampaignObserver]
    ) -> list[ExecutionEvent]:
        """Run the canary until it is good, or the budget is spent. Each time it fails, unconfirmed runs are suspect.

        Args:
            run_canary: runs a configuration once and stores it; its second argument is the rest before it in seconds.
            observers: are told which runs became suspect.

        Raises:
            InvalidRunError: its runs stayed INVALID.
            CanaryError: it failed as often as an INVALID run may be tried.
        """
        events: list[ExecutionEvent] = []
        n_failed, must_rest, config = 0, False, self.config
        while config is not None and not self.budget.exhausted:
            events.append(run_canary(config, self.canary.rest() if must_rest else 0.0))
            require_valid(events, self.max_invalid_retries)
            must_rest = False
            if events[-1].verdict is Verdict.INVALID or self.canary.is_undecided:
                continue
            if not self.canary.has_failed:
                break
            n_failed += 1
            self.suspicion.canary_failed(observers)
            if n_failed > self.max_invalid_retries:
                raise CanaryError(self._node_is_bad(events[-1], n_failed))
            must_rest = True
        return events

    def _node_is_bad(self, last: ExecutionEvent, n_failed: int) -> str:
        return (
            f"canary {config_text(last.config_pairs)}: it was OK before and is {last.verdict} now, {n_failed} time(s) "
            f"with {self.canary.rest_s:g} s of rest in between ({'; '.join(last.reasons)}): the node has changed; all "
            "runs since the last good canary are suspect, and the same command measures them again once the node is "
            "well"
        )


def require_valid(events: Sequence[ExecutionEvent], max_invalid_retries: int) -> None:
    """Check that not too many of the last runs are INVALID.

    Raises:
        InvalidRunError: more than ``max_invalid_retries`` are.
    """
    in_a_row = list(takewhile(lambda event: event.verdict is Verdict.INVALID, reversed(events)))
    if len(in_a_row) > max_invalid_retries:
        raise InvalidRunError(
            f"{config_text(in_a_row[0].config_pairs)}: {len(in_a_row)} run(s) in a row measured nothing: "
            f"{'; '.join(in_a_row[0].reasons)}"
        )
