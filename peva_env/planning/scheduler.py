"""The default scheduler: the configurations in plan order, without replacement."""

from itertools import islice

from peva_env.contracts import DfaasRunContext
from peva_env.planning.plan import DfaasPlanBuilder
from peva_env.space import Config, config_key


class CartesianScheduler:
    """Walks the plan once. A batch is the next ``desired_size`` configurations of the plan without the complete ones.

    Complete configurations are not replaced, so a batch can be smaller than ``desired_size``, or empty. The plan is
    ``ctx.configs``, or the plan of the builder if ``ctx.configs`` is empty. A new ``ctx`` object restarts the walk.
    """

    def __init__(self, plan_builder: DfaasPlanBuilder | None = None) -> None:
        self._plan_builder = plan_builder
        self._ctx: DfaasRunContext | None = None
        self.exhausted = False

    def propose_batch(self, *, ctx: DfaasRunContext, desired_size: int) -> list[Config]:
        """Return the next ``desired_size`` configurations, without those in ``ctx.existing_index``.

        Raises:
            ValueError: ``desired_size`` is not positive, or there is neither a campaign's plan nor a builder.
        """
        if desired_size < 1:
            raise ValueError(f"desired_size must be at least 1; got {desired_size}")
        if ctx is not self._ctx:
            self._begin(ctx)
        window = list(islice(self._walk, desired_size))
        self.exhausted = len(window) < desired_size
        return [config for config in window if config_key(config) not in ctx.existing_index]

    def _begin(self, ctx: DfaasRunContext) -> None:
        plan = ctx.configs or (self._plan_builder.build_space() if self._plan_builder else None)
        if plan is None:
            raise ValueError("there is no plan: give ctx.configs or a plan builder")
        self._ctx = ctx
        self._walk = iter(plan)
