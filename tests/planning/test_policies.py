"""Policies by entry point: found, or refused in one line that names what is missing."""

import queue
import re
from pathlib import Path

import pytest

from peva_env.contracts import PolicyAlgorithm
from peva_env.errors import PolicyError
from peva_env.planning.policies import NoOpPolicy, load_policy_algorithm
from tests.fixtures.custom_algo import CustomPolicy


@pytest.mark.parametrize("entrypoint", [None, ""])
def test_without_an_entry_point_the_policy_does_nothing(entrypoint: str | None) -> None:
    policy = load_policy_algorithm(entrypoint)
    assert isinstance(policy, NoOpPolicy)
    assert policy.choose_batch(candidates=[[("a", 1)], [("a", 2)]], desired_size=1) == [[("a", 1)]]


def test_a_users_class_is_loaded() -> None:
    policy = load_policy_algorithm("tests.fixtures.custom_algo:CustomPolicy")
    assert isinstance(policy, CustomPolicy)
    assert isinstance(policy, PolicyAlgorithm)


@pytest.mark.parametrize(
    ("entrypoint", "said"),
    [
        ("custom_algo", "must be module:Class"),
        (":CustomPolicy", "must be module:Class"),
        ("tests.fixtures.none:CustomPolicy", "there is no module 'tests.fixtures.none'"),
        ("none.at_all:CustomPolicy", "there is no module 'none'"),
        ("tests.fixtures.custom_algo:Nope", "has no class 'Nope'"),
        ("tests.fixtures.custom_algo:not_a_class", "has no class 'not_a_class'"),
        ("tests.fixtures.custom_algo:LacksBatch", "lacks update_batch"),
        ("tests.fixtures.custom_algo:NeedsArguments", "cannot be made without arguments"),
        ("tests.fixtures.custom_algo:Exits", r"cannot be made without arguments: SystemExit\(7\)"),
    ],
)
def test_what_cannot_be_loaded_is_named(entrypoint: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said) as caught:
        load_policy_algorithm(entrypoint)
    assert entrypoint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_module_that_fails_is_told_from_one_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_policy.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PolicyError, match=r"importing 'broken_policy' failed: .*a_module_that_is_not_there"):
        load_policy_algorithm("broken_policy:Policy")


def test_a_policy_that_changes_the_working_folder_as_it_is_loaded_is_brought_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wandering_policy.py").write_text(
        "import os\nfrom peva_env.planning import NoOpPolicy\nos.chdir('/')\n"
        "class Policy(NoOpPolicy):\n    def __init__(self):\n        os.chdir('/')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    load_policy_algorithm("wandering_policy:Policy")
    assert Path.cwd() == tmp_path


def test_a_script_that_ends_when_it_is_imported_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name, error in (("script", "SystemExit('done')"), ("cancelled", "GeneratorExit('done')")):
        (tmp_path / f"{name}_policy.py").write_text(f"raise {error}\n")
        with pytest.raises(PolicyError, match=re.escape(f"importing '{name}_policy' failed: {error}")):
            load_policy_algorithm(f"{name}_policy:Policy")


def test_a_module_with_the_name_of_an_installed_one_is_told_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue.py").write_text("class MyPolicy: pass\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PolicyError, match=r"'queue' has no class 'MyPolicy'; 'queue' is .*queue.py: .* rename yours"):
        load_policy_algorithm("queue:MyPolicy")


def test_a_module_in_a_folder_that_an_installed_one_hides_is_told_from_one_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "mine.py").write_text("class Mine: pass\n")
    with pytest.raises(PolicyError, match=r"no module 'json.mine'; 'json' is .*json/__init__.py: .* rename yours"):
        load_policy_algorithm("json.mine:Mine")


def test_an_installed_module_is_named_also_where_it_lies_below_the_working_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(Path(queue.__file__).parents[1])  # as a virtual environment often does
    with pytest.raises(PolicyError, match=r"'queue' has no class 'Mine'; 'queue' is .*: .* rename yours"):
        load_policy_algorithm("queue:Mine")
