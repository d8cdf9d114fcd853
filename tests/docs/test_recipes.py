"""The recipes run as they stand, with few steps: those of the extra `train`, and the others where their library is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

from peva_env.errors import UnknownArgumentError

ROOT = Path(__file__).parents[2]
PAGE, OFFLINE = ((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("recipes", "offline-rl"))
BLOCKS = [code for page in (PAGE, OFFLINE) for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL)]
RECIPES = {
    "sb3_maskable_ppo": "sb3_contrib",
    "cleanrl_ppo": "torch",
    "torchrl_ppo": "torchrl",
    "offline_rl": "minari",
}
RLLIB = "rllib_ppo"
"""The recipe that needs an environment of its own, because RLlib pins Gymnasium."""

UV = shutil.which("uv")
SHORT = {"offline_rl": ["64", "20", "16"]}
"""The arguments of a recipe that needs others than 2048 steps."""


def run(code: str | Path, folder: Path, *args: str, python: Path = Path(sys.executable)) -> str:
    """Run a recipe or a block of the page in a process of its own, away from home and without reports to its makers."""
    how = [str(code)] if isinstance(code, Path) else ["-c", code]
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    # Ray would give its workers the environment of the `uv run` that started these tests.
    of_ray = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    environment = {**os.environ, **of_ray, "PATH": path, "HOME": str(folder)}
    done = subprocess.run(
        [python, *how, *args], cwd=folder, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_shows_every_recipe_that_there_is() -> None:
    recipes = {*RECIPES, RLLIB}
    assert {path.stem for path in (ROOT / "docs" / "recipes").glob("*.py")} == recipes
    assert set(re.findall(r"\(recipes/(\w+)\.py\)", PAGE)) == recipes


@pytest.mark.train
@pytest.mark.parametrize(("recipe", "library"), RECIPES.items(), ids=RECIPES)
def test_a_recipe_runs(recipe: str, library: str, tmp_path: Path) -> None:
    pytest.importorskip(library, reason=f"needs {library}")
    said = run(ROOT / "docs" / "recipes" / f"{recipe}.py", tmp_path, *SHORT.get(recipe, ["2048"]))
    assert re.findall(r"mean return\b.* [+-]\d\.\d{3}$", said, re.MULTILINE)


@pytest.fixture
def rllib(tmp_path: Path) -> Path:
    """Return a Python with RLlib and this package, installed as the page says, where the package registry is there."""
    for library in ("torch", "ray"):  # whoever has none of them is spared a download of gigabytes
        pytest.importorskip(library, reason=f"needs {library}")
    if UV is None:
        pytest.skip("needs uv")
    (install,) = re.findall(r"^uv pip install (--python rllib .*) \.$", PAGE, re.MULTILINE)
    for command in (["venv", "-q", "rllib"], ["pip", "install", "-q", *install.replace('"', "").split(), str(ROOT)]):
        done = subprocess.run([UV, *command], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
        if done.returncode:
            pytest.skip(f"needs the package registry: {done.stderr.strip().splitlines()[-1]}")
    return tmp_path / "rllib" / "bin" / "python"


@pytest.mark.train
@pytest.mark.ray
@pytest.mark.timeout(500)
def test_rllib_trains_on_candidates_with_two_processes(rllib: Path, tmp_path: Path) -> None:
    said = run(ROOT / "docs" / "recipes" / f"{RLLIB}.py", tmp_path, "2048", python=rllib)
    assert re.findall(r"mean return [+-]\d\.\d{3}$", said, re.MULTILINE)


@pytest.mark.train
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_of_the_page_runs(number: int, tmp_path: Path) -> None:
    code = BLOCKS[number]
    for library in re.findall(r"^(?:import|from) (minari|stable_baselines3|torch)\b", code, re.MULTILINE):
        pytest.importorskip(library, reason=f"needs {library}")
    assert run(code, tmp_path)


@pytest.mark.parametrize("env_id", ["peva/FaasSim-v1", "peva/FaasReplay-v1", "peva/FaasLive-v1"])
def test_an_unknown_argument_is_a_type_error(env_id: str) -> None:
    with pytest.raises(TypeError, match="unheard_of"):
        gymnasium.make(env_id, unheard_of="rgb_array")
    assert issubclass(UnknownArgumentError, ValueError)
