"""The command that trains the learnt agent: what a user can get wrong is one line."""

import sys

import pytest

from peva_agents.training.learnt import command

pytest.importorskip("stable_baselines3", reason="needs the `train` extra")
pytest.importorskip("ray", reason="needs the `ray` extra")

pytestmark = pytest.mark.train


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["--ray", "nowhere"], 2, "--ray 'nowhere': must be auto, local or HOST:PORT"),
        (["--data", "no/such/folder", "--jobs", "1"], 2, "no/such/folder"),
        (["--ray", "127.0.0.1:1"], 1, "--ray 127.0.0.1:1: no Ray answers there"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], code: int, problem: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["learnt", *arguments])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # typer sets one of its own
    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == code
    said = capsys.readouterr().err
    assert problem in said
    assert said.count("\n") == 1
