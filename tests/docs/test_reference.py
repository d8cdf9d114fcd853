"""The reference has everything that there is: names, commands, keys, and the spaces of the environments as they are."""

import importlib
import inspect
import re
import runpy
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import gymnasium
import numpy as np
import pytest

import peva_env
from peva_env.campaign.offline_arguments import OfflineArguments
from peva_env.cli import app
from peva_env.config import CombinationConfig, CooldownConfig, DfaasConfig, OverloadConfig
from peva_env.make import make_live_env, make_replay_env, make_sim_env
from tests.support.pages import DOCS, PAGES

DOCUMENTED = {
    module: members.split(", ") if members else None
    for text in PAGES.values()
    for module, members in re.findall(r"^\.\. automodule:: (\S+)\n   :members:(?: (.*))?$", text, re.MULTILINE)
}
"""Which names of a module stand in the reference; None for all that have a docstring."""


@pytest.mark.parametrize("name", peva_env.__all__)
def test_the_reference_has_every_public_name(name: str) -> None:
    assert f"| `{name}` |" in PAGES["reference/python"]
    home = next(module for module, names in peva_env._HOMES.items() if name in names)
    found = getattr(peva_env, name)
    homes = {getattr(found, "__module__", f"peva_env.{home}"), f"peva_env.{home}"} & DOCUMENTED.keys()
    assert any(DOCUMENTED[module] is None or name in (DOCUMENTED[module] or ()) for module in homes)
    assert found.__doc__


@pytest.mark.parametrize(("module", "names"), [(module, names) for module, names in DOCUMENTED.items() if names])
def test_what_the_reference_lists_of_a_module_is_there(module: str, names: list[str]) -> None:
    imported = importlib.import_module(module)
    assert [name for name in names if not hasattr(imported, name)] == []


def test_the_reference_has_what_comes_with_the_contracts_and_every_agent() -> None:
    assert {
        "peva_env.testing",
        "peva_env.inference.monotone_map",
        "peva_env.report.plots",
        "peva_agents.loop",
    } <= DOCUMENTED.keys()
    agents = {entry.value.partition(":")[0] for entry in entry_points(group="peva_env.agents")}
    assert agents <= DOCUMENTED.keys()


GENERATOR = runpy.run_path(str(DOCS / "command_reference.py"))
COMMANDS = {name: command for name, command, _ in GENERATOR["commands"](app)}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_has_every_command_with_all_of_its_options(name: str) -> None:
    assert f"| `{name}` |" in PAGES["reference/commands"]
    section = GENERATOR["command_reference"](app).split(f"\n## {name}\n")[1].partition("\n## ")[0]
    assert COMMANDS[name].help.splitlines()[0] in section
    options = [option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")]
    assert [option for option in options if option not in section] == []


def test_the_reference_has_no_command_that_there_is_not() -> None:
    told = re.findall(r"^\| `(peva-env [^`]+)` \|", PAGES["reference/commands"], re.MULTILINE)
    assert sorted(told) == sorted(COMMANDS)


@pytest.mark.parametrize("key", DfaasConfig.model_fields)
def test_the_page_on_the_configuration_has_the_defaults(key: str) -> None:
    field = DfaasConfig.model_fields[key]
    rows = PAGES["reference/configuration"].splitlines()
    shown = next(row.split("|")[2].strip(" ") for row in rows if re.match(rf"\| [^|]*`{key}`", row))
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, CombinationConfig | CooldownConfig | OverloadConfig):
        numbers = {name: float(number) for name, number in re.findall(r"(\w+): ([\d.]+)", shown)}
        assert numbers == (default.as_context() if isinstance(default, OverloadConfig) else default.model_dump())
    elif isinstance(default, bool | int | str):
        assert shown.strip("`") == str(default).lower()


ENVIRONMENTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "faas-live": ("peva/FaasLive-v1", make_live_env),
    "faas-sim": ("peva/FaasSim-v1", make_sim_env),
    "faas-replay": ("peva/FaasReplay-v1", make_replay_env),
}
HEADINGS = [
    "Description",
    "Action Space",
    "Observation Space",
    "Rewards",
    "Starting State",
    "Episode End",
    "Information",
    "Arguments",
    "Version History",
]
"""Those of Gymnasium's own pages."""


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_page_of_an_environment_has_its_spaces_and_arguments(name: str) -> None:
    page, (env_id, make) = PAGES[f"environments/{name}"], ENVIRONMENTS[name]
    assert page.startswith(f"# {env_id}\n")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == HEADINGS
    env = gymnasium.make(env_id)
    spaces: Any = env.observation_space
    rows = dict(re.findall(r"^\| `(\w+)` \| `(Box\(.*\))` \|$", page, re.MULTILINE))
    assert {key: _box(text) for key, text in rows.items()} == dict(spaces.items())
    n_configs = env.unwrapped.space.n_configs  # type: ignore[attr-defined]
    assert re.search(rf"Discrete\({n_configs}\)|\b{n_configs}: ", page)
    arguments = inspect.signature(make).parameters.keys() - {"settings"}
    assert [one for one in arguments if not re.search(rf"^\| [^|]*`{one}`", page, re.MULTILINE)] == []
    env.close()


def _box(text: str) -> Any:
    """Return the space that a page shows, whose bounds may be lists or numbers."""

    def box(low: Any, high: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        low, high = (np.broadcast_to(np.array(bound, dtype), shape) for bound in (low, high))
        return gymnasium.spaces.Box(low, high, shape, dtype)

    return eval(text, {"Box": box, "int8": np.int8, "float32": np.float32})  # noqa: S307


def test_the_page_on_offline_environments_names_every_argument_of_both() -> None:
    assert [name for name in OfflineArguments.model_fields if f"`{name}`" not in PAGES["offline"]] == []
