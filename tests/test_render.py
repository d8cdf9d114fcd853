"""What ``render`` shows of a campaign: the terminal's map as text, or the figure of the map as pixels."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from peva_env.errors import ConfigError
from peva_env.make import make_live_env, make_sim_env
from peva_env.system import install_text

IDS = ["peva/FaasSim-v1", "peva/FaasReplay-v1", "peva/FaasLive-v1"]
SMALL: dict[str, Any] = {"rates_rps": {"a": [50, 100, 150], "b": [50, 100]}, "budget_runs": 4}


@pytest.mark.parametrize("env_id", IDS)
def test_every_id_says_which_modes_it_has(env_id: str) -> None:
    env = gymnasium.make(f"peva_env:{env_id}", render_mode="rgb_array")
    assert env.metadata["render_modes"] == ["ansi", "rgb_array"]
    assert env.metadata["render_fps"] > 0
    assert env.render_mode == "rgb_array"
    env.close()


@pytest.mark.parametrize("env_id", IDS[:2])
def test_gymnasiums_checker_renders_too(env_id: str) -> None:
    pytest.importorskip("matplotlib", reason="needs the `report` extra")
    check_env(gymnasium.make(f"peva_env:{env_id}", render_mode="rgb_array").unwrapped)


def test_the_form_side_by_side_says_that_it_has_none() -> None:
    envs = gymnasium.make_vec("peva_env:peva/FaasSim-v1", 2, "vector_entry_point")
    assert envs.metadata["render_modes"] == []


@pytest.mark.parametrize("view", ["map", "candidates"])
def test_text_shows_the_map_and_what_it_took(view: str) -> None:
    env = make_sim_env(view=view, render_mode="ansi", **SMALL)
    env.reset(seed=0)
    first, *rest = env.render().splitlines()
    assert first == "0 of 6 configurations known after 0 of 4 runs"
    assert "Overload map (rps): a across, b upwards" in rest
    *_, info = env.step(0)
    text = env.render()
    assert text.startswith(f"{info['n_resolved']} of 6 configurations known after 1 of 4 runs\n")
    assert text != "\n".join([first, *rest])


def test_a_plan_that_no_terminal_draws_has_its_title() -> None:
    env = make_sim_env(rates_rps={name: [10, 20] for name in "abc"}, budget_runs=None, render_mode="ansi")
    env.reset(seed=0)
    assert env.render() == "0 of 8 configurations known after 0 runs\n"


PLANS: dict[str, dict[str, Any]] = {
    "two functions": {},
    "one at a time": {"rates_rps": {"a": [20, 40, 60, 80], "b": [20, 40]}, "min_functions": 1, "max_functions": 2},
    "three functions": {"rates_rps": {name: [20, 40, 60] for name in "abc"}},
    "beyond the dense limit": {"rates_rps": {name: range(1, 111) for name in "abc"}},
}


@pytest.mark.parametrize("view", ["map", "candidates"])
@pytest.mark.parametrize("plan", PLANS)
def test_all_pictures_of_an_episode_have_one_size_and_are_new(plan: str, view: str) -> None:
    pytest.importorskip("matplotlib", reason="needs the `report` extra")
    env = make_sim_env(view=view, render_mode="rgb_array", **PLANS[plan])
    env.reset(seed=0)
    pictures = [env.render()]
    ended = False
    while not ended and len(pictures) <= 3:
        *_, ended, _, _ = env.step(env.unwrapped.action(env.unwrapped.space.config(0)) if view == "map" else 0)
        pictures.append(env.render())
    assert {(picture.shape, picture.dtype) for picture in pictures} == {((480, 720, 3), np.dtype(np.uint8))}
    assert np.any(pictures[0] != pictures[1])
    again = env.render()
    np.testing.assert_array_equal(again, pictures[-1])
    again[:] = 0
    np.testing.assert_array_equal(env.render(), pictures[-1])


def test_a_map_can_be_rendered_when_its_episode_is_over() -> None:
    env = make_sim_env(rates_rps={"a": [20, 200]}, budget_runs=1, render_mode="ansi")
    env.reset(seed=0)
    env.step(0)
    assert "after 1 of 1 runs" in env.render()


def test_there_is_nothing_to_render_before_a_campaign_or_without_a_mode() -> None:
    with pytest.raises(ResetNeeded):
        make_sim_env(render_mode="ansi").render()
    assert make_sim_env().render() is None


@pytest.mark.parametrize("make", [make_sim_env, make_live_env])
def test_a_mode_that_there_is_not_is_named(make: Any) -> None:
    with pytest.raises(ConfigError, match=r"render_mode = 'human': must be one of ansi, rgb_array, or None"):
        make(render_mode="human")


def test_without_matplotlib_the_first_picture_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError('no matplotlib here')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import gymnasium; env = gymnasium.make('peva_env:peva/FaasSim-v1', render_mode='rgb_array')\n"
        "env.reset(seed=0); env.step(0); env.unwrapped.render()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    problem = f"figures need matplotlib, which is not installed: {install_text('report')}"
    assert done.stderr.splitlines()[-1].endswith(problem)


@pytest.mark.train
def test_record_video_writes_a_film_of_an_episode(tmp_path: Path) -> None:
    pytest.importorskip("moviepy", reason="needs moviepy")
    from gymnasium.wrappers import RecordVideo

    env: Any = RecordVideo(make_sim_env(render_mode="rgb_array", **SMALL), str(tmp_path / "films"))
    env.reset(seed=0)
    done = False
    while not done:
        *_, terminated, truncated, _ = env.step(int(env.unwrapped.action_masks().argmax()))
        done = terminated or truncated
    env.close()
    (film,) = tmp_path.glob("films/*.mp4")
    assert film.stat().st_size > 1000


def test_record_video_is_given_a_picture_of_each_step() -> None:
    pytest.importorskip("matplotlib", reason="needs the `report` extra")
    from gymnasium.wrappers import RenderCollection

    env: Any = RenderCollection(make_sim_env(render_mode="rgb_array", view="candidates", **SMALL))
    env.reset(seed=0)
    for _ in range(2):
        env.step(0)
    assert [picture.shape for picture in env.render()] == [(480, 720, 3)] * 3
