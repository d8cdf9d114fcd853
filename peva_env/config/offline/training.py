"""The settings of a training: algorithm, training data or simulation, and length."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from peva_env.config.offline.option import NO_OPTION, CommandOption
from peva_env.config.offline.texts import parse_hyperparameters, parse_rates
from peva_env.config.section import LARGEST_COUNT
from peva_env.space import Dominance

type Algorithm = Literal["maskable-ppo", "ppo", "dqn"]
type View = Literal["candidates", "map"]

TEACHERS = ("learnt", "bisection")
"""The agents that a training can begin as."""

_REWARDS: dict[Any, str] = {"candidates": "early", "map": "frontier"}
"""The default reward of each view."""

Names = tuple[str, ...] | None

_USUAL_NOISE = 0.03

_MOST_STEPS = 10**12


class TrainingConfig(BaseModel):
    """All settings that determine the result of a training."""

    model_config = ConfigDict(extra="forbid", validate_default=True, frozen=True, defer_build=True)

    algo: Algorithm = Field("maskable-ppo", description="maskable-ppo, ppo or dqn")
    view: View = Field(
        "candidates", description="candidates: for every space; map: all configurations, for spaces of one shape"
    )
    data: Names = Field(None, min_length=1, description="A folder of core Parquet, or the name of a dataset")
    sim: str | dict[str, Any] | None = Field(
        None,
        description="random: a new simulated node each episode; local: the simulated local node in each episode; "
        "a .json file: the node of peva-env twin in each episode",
    )
    rates_rps: Annotated[
        dict[str, list[int]] | None,
        CommandOption("--rates", metavar="NAME=RATES", parse=parse_rates, repeatable=True),
    ] = Field(None, description="With --sim: rates of a function, as a=0,20,40 or a=0:200:10")
    min_functions: int | None = Field(None, ge=1, description="With --sim: fewest functions in a configuration")
    max_functions: int | None = Field(None, ge=2, description="With --sim: exclusive upper bound of their number")
    noise: float = Field(_USUAL_NOISE, ge=0, le=1, description="With --sim: noise of a run, as a share from 0 to 1")
    iterations: int = Field(1, ge=1, le=100, description="Runs of a configuration, whose majority is its verdict")
    train_scenarios: Names = Field(
        None, min_length=1, description="With --data: maps to learn on, by name, or by prefix as in LIGHT*"
    )
    validation_scenarios: Names = Field(
        None, min_length=1, description="With --data: maps on which the best model is chosen"
    )
    test_scenarios: Names = Field(
        None, min_length=1, description="With --data: maps on which the best model is compared with the baselines"
    )
    init: str | None = Field(
        None, min_length=1, description="Begin as learnt or bisection chooses (cloned), or with a model.zip"
    )
    demos: str | None = Field(
        None, min_length=1, description="Begin as the agents of a Minari dataset chose (cloned): its id, or a folder"
    )
    budget_runs: int = Field(64, ge=1, le=LARGEST_COUNT, description="Most runs of an episode")
    dominance: Dominance = Field(
        "within_sets", description="How verdicts are inferred: within_sets, two_sided, or one_sided, as live"
    )
    reward: str = Field(
        "", description="frontier, early, right, goodput, or module:Class (default: early; map: frontier)"
    )
    reward_kwargs: Annotated[dict[str, Any], NO_OPTION] = Field(
        default_factory=dict, description="Arguments of the reward"
    )
    total_steps: Annotated[int | None, CommandOption("--steps")] = Field(
        None,
        ge=1,
        le=_MOST_STEPS,
        description="Number of training steps (default: 300,000; dqn: 60,000; large maps: 30,000)",
    )
    n_envs: Annotated[int | None, CommandOption("--envs")] = Field(
        None, ge=1, le=4096, description="Environments side by side (default: 64; 16 on large maps)"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of networks, episodes and the split of the maps")
    hyperparameters: Annotated[
        dict[str, Any],
        CommandOption("--set", metavar="NAME=VALUE", parse=parse_hyperparameters, repeatable=True),
    ] = Field(default_factory=dict, description="A hyperparameter of the algorithm, as in learning_rate=0.001")
    validation_episodes: int = Field(32, ge=1, le=LARGEST_COUNT, description="Episodes of each validation")
    evaluation_episodes: int = Field(
        50, ge=1, le=LARGEST_COUNT, description="Episodes of each test scenario in the comparison"
    )

    @model_validator(mode="before")
    @classmethod
    def _default_reward(cls, given: Any) -> Any:
        """Fill in the reward, whose default depends on the view."""
        if not isinstance(given, dict) or given.get("reward"):
            return given
        return {**given, "reward": _REWARDS.get(given.get("view", "candidates"), "early")}

    @model_validator(mode="after")
    def _worlds(self) -> "TrainingConfig":
        if self.data is None and self.sim is None:
            raise ValueError("give --data (a folder or the name of a dataset), --sim random, or both")
        if self.data is not None and self.sim is not None and self.view == "map":
            raise ValueError("--data and --sim together need --view candidates, which is the same for every space")
        if self.sim is None and self.noise != _USUAL_NOISE:
            raise ValueError("noise belongs to --sim; a recording has noise of its own")
        recorded = ("train_scenarios", "validation_scenarios", "test_scenarios")
        simulated = ("rates_rps", "min_functions", "max_functions")
        for needed, names in (("data", recorded), ("sim", simulated)):
            for name in names if getattr(self, needed) is None else ():
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} belongs to --{needed}; leave it out")
        return self

    @model_validator(mode="after")
    def _one_start(self) -> "TrainingConfig":
        if self.init is not None and self.demos is not None:
            raise ValueError("init and demos: a training begins in one way; leave one of them out")
        if self.init in TEACHERS and (self.view == "map" or self.algo == "dqn"):
            raise ValueError(f"init = {self.init!r} needs --view candidates and --algo maskable-ppo or ppo")
        if self.demos is not None and self.algo == "dqn":
            raise ValueError(
                "demos: DQN has values of actions, which no dataset shows; give --algo maskable-ppo or ppo"
            )
        if self.init is not None and self.init not in TEACHERS and not self.init.endswith(".zip"):
            raise ValueError(
                f"init = {self.init!r}: must be {', '.join(TEACHERS)} or the file of a model, as model.zip"
            )
        return self
