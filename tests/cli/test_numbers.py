"""Numbers on the command line: those of Python alone are refused in one line, as in files."""

import pytest
from typer.testing import CliRunner

from peva_env.cli import app
from peva_env.errors import ConfigError

IMPORT = ["memory", "import-dfaas", "x.csv", "--memory", "m.duckdb", "--node", "n", "--duration", "30s"]
SEPARATED = "write it without separators, with a decimal point"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([*IMPORT, "--cores", "1_0"], f"--cores '1_0': not a number: {SEPARATED}"),
        ([*IMPORT, "--cores=1", "--ram-gib=1_6.5"], f"--ram-gib '1_6.5': not a number: {SEPARATED}"),
        (["train", "--sim", "random:2", "--seed", "1_0"], f"--seed '1_0': not a number: {SEPARATED}"),
        (["fleet", "run", "f.yml", "--budget-seconds", "1_0"], f"--budget-seconds '1_0': not a number: {SEPARATED}"),
        (["arena", "--sim", "random:1", "--budgets", "1_2"], "--budgets '1_2': must be numbers of runs"),
        (["train", "--sim", "random:1", "--rates", "a=١٢"], "--rates 'a=١٢': must be as a=0,20,40"),
        (["diff", "a", "b", "--repetition", "1", "1_0"], f"--repetition '1_0': not a number: {SEPARATED}"),
        (["diff", "a", "b", "--level", "nan"], "--level 'nan': not a number"),
        (["slo", "--sweep", "p95_ms_max=5_0:100:50"], "--sweep 'p95_ms_max=5_0:100:50': write a rule, the first limit"),
        (["limits", "--mix", "a=1_0"], "--mix 'a=1_0': write each function once, with a number"),
    ],
)
def test_a_number_that_is_one_for_python_alone_is_refused(args: list[str], said: str) -> None:
    problem = CliRunner().invoke(app, args).exception
    assert isinstance(problem, ConfigError)
    assert str(problem).startswith(said)
