"""The file of a fleet, and what is wrong with it in one line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from peva_agents.fleet import load_fleet
from peva_env.errors import ConfigError

GRID = {
    "rate_strategy": {"type": "custom", "rates": [20, 40]},
    "combinations": {"min_functions": 1, "max_functions": 2},
}


def write(folder: Path, **keys: Any) -> Path:
    path = folder / "fleet.yml"
    path.write_text(yaml.safe_dump({"defaults": GRID, "nodes": [{"name": "a"}], **keys}))
    return path


def test_a_node_is_the_defaults_with_what_differs(tmp_path: Path) -> None:
    own = {"name": "b", "resource": "near-b", "duration": "7s", "cooldown": {"rest_seconds": 3}}
    path = write(tmp_path, defaults=GRID | {"cooldown": {"max_wait_seconds": 9}}, nodes=[{"name": "a"}, own])
    plan = load_fleet(path)
    a, b = plan.nodes
    assert (a.name, a.resource, a.settings.duration) == ("a", None, "30s")
    assert (b.name, b.resource, b.settings.duration) == ("b", "near-b", "7s")
    assert (b.settings.cooldown.max_wait_seconds, b.settings.cooldown.rest_seconds) == (9, 3)
    assert plan.folder.is_absolute()
    assert Path(b.settings.memory.db_path) == plan.memory_of("b")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    functions = [{"name": "f", "source": "code/f.py:main"}]
    plan = load_fleet(write(tmp_path, nodes=[{"name": "a", "functions": functions}]))
    assert plan.nodes[0].settings.functions[0].source == str(tmp_path / "code/f.py:main")


def test_the_folder_of_the_results_may_be_in_the_home_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load_fleet(write(tmp_path, output_dir="~/fleet")).folder == tmp_path / "home" / "fleet"


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"nodes": [{"name": "a"}, {"name": "a"}]}, r"the name 'a' is there twice"),
        ({"nodes": [{"name": "a"}, {"name": "A"}]}, r"the name 'a' is there twice, in upper or lower case"),
        ({"nodes": [{"name": "a.b"}]}, r"nodes\[0\]\.name = 'a\.b' must begin"),
        ({"nodes": [{"name": "a"}, {"duration": "9s"}]}, r"nodes\[1\]\.name: is required, for example {name: node-2}"),
        ({"nodes": []}, r"nodes = .*must not be empty"),
        ({"nodes": [{"name": "a", "resource": 3}]}, r"node a: resource = 3 must be the name of a Ray resource"),
        ({"nodes": [{"name": "a", "durations": "3s"}]}, r"node a: .*durations"),
        ({"nodes": [{"name": "a", "resorce": "x"}]}, r"node a: resorce: unknown key; did you mean 'resource'\?"),
        ({"nodes": [{"name": "a", "agent": "learnt"}]}, r"node a: agent: is a key of the whole fleet, beside defaults"),
        ({"defaults": GRID | {"max_loaded": 1}}, r"defaults: max_loaded: is a key of the whole fleet"),
        ({"defaults": GRID | {"resource": "near"}}, r"defaults: resource: is a key of each node of nodes"),
        ({"nodes": [{"name": "a", "output_dir": "x"}]}, r"node a: leave out output_dir"),
        ({"nodes": [{"name": "a", "generators": 2, "ray": "auto"}]}, r"node a: leave out ray: .* of a node are on its"),
        ({"nodes": [{"name": "a", "memory": {"db_path": "x"}}]}, r"node a: leave out memory\.db_path"),
        (
            {"nodes": [{"name": "a", "refine": "5%", "dominance": "one_sided"}]},
            r"node a: refine: bisects, and so needs",
        ),
        ({"max_loaded": 0}, r"max_loaded"),
        ({"output_dir": "s3://bucket/fleet"}, r"output_dir = 's3://bucket/fleet': must be a path on this machine"),
        ({"output_dir": "~nobody-of-this-name/fleet"}, r"output_dir = '~nobody-of-this-name/fleet'"),
        ({"budget_seconds": -1}, r"budget_seconds"),
        ({"node": []}, r"node"),
    ],
)
def test_what_is_wrong_is_one_line(keys: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        load_fleet(write(tmp_path, **keys))
    assert str(caught.value).startswith(str(tmp_path / "fleet.yml"))
    assert "\n" not in str(caught.value)
