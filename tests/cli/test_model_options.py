"""Options that are made from the fields of a model: their names, types and help, and what a command gets of them."""

from typing import Annotated, Any

import pytest
import typer
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from peva_env.cli import app
from peva_env.cli.model_options import options_of
from peva_env.config.offline import NO_OPTION, ArenaConfig, CommandOption, TrainingConfig

RENAMED = {"rates_rps": "--rates", "total_steps": "--steps", "n_envs": "--envs", "hyperparameters": "--set"}


class Settings(BaseModel):
    n_steps: int = Field(3, description="Steps to do")
    share: float | None = Field(None, description="A share")
    names: tuple[str, ...] | None = Field(None, description="A name")
    pairs: Annotated[
        dict[str, str], CommandOption("--set", metavar="A=B", parse=lambda texts: len(texts), repeatable=True)
    ] = Field(default_factory=dict, description="A pair")
    hidden: Annotated[int, NO_OPTION] = 1


got: list[tuple[dict[str, Any], int]] = []
toy = typer.Typer()


@toy.command()
@options_of(Settings)
def command(settings: dict[str, Any], own: Annotated[int, typer.Option(help="Its own.")] = 7) -> None:
    """Do something."""
    got.append((settings, own))


@pytest.mark.parametrize(
    ("args", "settings", "own"),
    [
        ([], {}, 7),
        (["--n-steps", "0", "--own", "1"], {"n_steps": 0}, 1),
        (["--share", "0.5", "--names", "a", "--names", "b"], {"share": 0.5, "names": ["a", "b"]}, 7),
        (["--set", "a=b", "--set", "c=d"], {"pairs": 2}, 7),
    ],
)
def test_a_command_gets_what_the_user_gave_by_the_names_of_the_fields(
    args: list[str], settings: dict[str, Any], own: int
) -> None:
    assert CliRunner().invoke(toy, args).exit_code == 0
    assert got.pop() == (settings, own)


@pytest.mark.parametrize("args", [["--n-steps", "x"], ["--hidden", "2"]])
def test_what_is_no_number_or_no_option_is_refused(args: list[str]) -> None:
    assert CliRunner().invoke(toy, args).exit_code == 2


def test_the_help_has_descriptions_and_defaults() -> None:
    shown = {parameter.name: getattr(parameter, "help", "") for parameter in typer.main.get_command(toy).params}
    assert shown["n_steps"] == "Steps to do (default: 3)."
    assert shown["names"] == "A name; may be given several times."
    assert shown["pairs"] == "A pair; may be given several times."


@pytest.mark.parametrize(("name", "model"), [("train", TrainingConfig), ("arena", ArenaConfig)])
def test_every_field_that_a_user_may_set_is_an_option_with_a_help(name: str, model: type[BaseModel]) -> None:
    group: Any = typer.main.get_command(app)
    options = {parameter.opts[0]: parameter.help for parameter in group.commands[name].params}
    for field_name, field in model.model_fields.items():
        if NO_OPTION not in field.metadata:
            shown = options[RENAMED.get(field_name, f"--{field_name.replace('_', '-')}")]
            assert shown.startswith(field.description)
