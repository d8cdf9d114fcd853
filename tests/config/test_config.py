"""The configuration: defaults, rules, and errors that say what would be right."""

import json
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from peva_env.campaign.factories import make_metrics
from peva_env.config import DfaasConfig, OverloadConfig, duration_seconds, load_config, parse_config, read_mapping
from peva_env.errors import ConfigError
from peva_env.make import SAMPLE_CONFIG


def write(folder: Path, text: str, name: str = "peva.yml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problem_of(data: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_are_those_of_peva_faas() -> None:
    config = DfaasConfig()
    assert (config.memory.backend, config.memory.preload_raw_debug) == ("duckdb", False)
    assert config.memory.schema_version == "peva_faas_mem_v1"
    assert config.memory.db_path.endswith("peva_faas.duckdb")
    assert config.memory.preload_core_parquet_dir is None
    assert config.memory.export_core_parquet_dir is None
    assert config.memory.export_raw_debug_parquet_dir is None
    assert (config.selection_mode, config.micro_batch_size, config.micro_batch_window_s) == ("online", 8, 30)
    assert config.algorithm_entrypoint is None
    assert (config.duration_s, config.iterations, len(config.functions)) == (30, 3, 1)
    assert config.rate_strategy.generate_rates() == list(range(0, 201, 10))
    assert (config.combinations.min_functions, config.combinations.max_functions) == (1, 2)
    assert (config.cooldown.max_wait_seconds, config.cooldown.sleep_step_seconds) == (180, 5)
    assert config.overload.replicas_overload_threshold == 15


@pytest.mark.parametrize("key", ["micro_batch_size", "micro_batch_window_s"])
def test_micro_batches_need_size_and_window(key: str) -> None:
    data: dict[str, Any] = {"selection_mode": "micro_batch", key: 0}
    with pytest.raises(ValidationError, match=key):
        DfaasConfig(**data)
    assert DfaasConfig(**{key: 0}).selection_mode == "online"


def test_the_memory_lies_beside_the_artifacts_unless_it_is_placed() -> None:
    assert DfaasConfig(output_dir="out").memory.db_path == "out/peva_faas.duckdb"
    placed = parse_config({"output_dir": "out", "memory": {"db_path": "elsewhere/m.duckdb"}})
    assert placed.memory.db_path == "elsewhere/m.duckdb"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"durations": "3s"}, "durations: unknown key; did you mean 'duration'?"),
        ({"Duration": "3s"}, "Duration: unknown key; did you mean 'duration'?"),
        ({"Common": {"duration": "5s"}}, "Common: unknown key; known keys: "),
        ({"a": 5}, "a: unknown key; known keys: "),
        ({"rate": 5}, "rate: unknown key; did you mean 'rate_strategy'?"),
        ({"functions": [{"name": "a", "maxrate": 3}]}, "functions[0].maxrate: unknown key; did you mean 'max_rate'?"),
        ({"memory": {"dbpath": "x"}}, "memory.dbpath: unknown key; did you mean 'db_path'?"),
        ({"rate_strategy": {"type": "linear", "count": 3}}, "known keys: max_rate, min_rate, step, type"),
        ({"rate_strategy": {"min_rate": 3}}, "rate_strategy.type: must be one of linear, random"),
        (
            {"functions": [{"name": "a", "rate_strategy": {"type": "auto"}}]},
            "functions[0].rate_strategy.type: must be one of linear, random, exponential, custom",
        ),
        ({"refine": "5"}, "refine = '5': must be a percentage from 0.5% to 50%, for example 5%"),
        ({"refine": "90%"}, "refine = '90%': must be a percentage from 0.5% to 50%"),
        (
            {"refine": "5%", "dominance": "one_sided"},
            "refine: bisects, and so needs dominance within_sets or two_sided",
        ),
        ({"rate_strategy": {"type": "custom", "rates": []}}, "rate_strategy.rates = []"),
        ({"rate_strategy": {"type": "custom", "rates": [-1]}}, "rate_strategy.rates[0] = -1"),
        ({"rate_strategy": {"type": "linear", "min_rate": 5, "max_rate": 4}}, "max_rate must be at least min_rate (5)"),
        ({"rate_strategy": {"type": "exponential", "max_rate": 1, "min_power": 3}}, "at least base ** min_power = 8"),
        ({"combinations": {"min_functions": 2, "max_functions": 2}}, "max_functions is exclusive"),
        ({"combinations": {"min_functions": 2, "max_functions": 3}}, "more than the 1 function(s)"),
        ({"functions": [{"name": "a"}, {"name": "a"}]}, "2 functions have the name 'a'; names must be unique"),
        (
            {"functions": [{"name": "a", "max_rate": 5}], "rate_strategy": {"type": "custom", "rates": [9]}},
            "max_rate = 5",
        ),
        (
            {"functions": [{"name": "a", "max_rate": 5, "rate_strategy": {"type": "custom", "rates": [9]}}]},
            "functions[0].max_rate = 5 leaves 'a' without a rate; the lowest rate is 9",
        ),
        (
            {"functions": [{"name": "a", "rate_strategy": {"type": "custom", "rates": [-1]}}]},
            "functions[0].rate_strategy.rates[0] = -1",
        ),
        (
            {"functions": [{"name": "a", "rate_strategy": {"type": "linear", "max": 1}}]},
            "functions[0].rate_strategy.max: unknown key; did you mean 'max_rate'?",
        ),
        ({"functions": []}, "functions = []"),
        ({"functions": {"fetch": {}}}, "functions: must be a list: its values in [ ], or each on a line of its own"),
        ({"functions": ["fetch"]}, "functions[0] = 'fetch': must hold keys and values, each as `key: value`"),
        ({"functions": [{"name": "a", "method": "FETCH"}]}, "functions[0].method = 'FETCH'"),
        ({"functions": [{"name": "a", "source": "main.py"}]}, "functions/hello.py:hello"),
        ({"functions": [{"name": "a", "port": 70000}]}, "functions[0].port = 70000"),
        ({"duration": "0s"}, "duration = '0s': must be longer than zero"),
        ({"duration": "500ms"}, "must be at least 1s"),
        ({"duration": "30"}, "must be a number and a unit"),
        ({"duration": 90}, "duration = 90: must be a number and a unit (ms, s, m, h), for example 30s"),
        ({"iterations": 0}, "iterations = 0"),
        ({"repeats": "some"}, "repeats = 'some'"),
        ({"dominance": "both"}, "dominance = 'both'"),
        ({"early_abort": True, "duration": "3s"}, "set duration to at least 5s, or leave early_abort out"),
        ({"stop_early": "sequential", "duration": "8s"}, "set duration to at least 10s, or leave stop_early out"),
        *(
            ({"stop_early": "sequential", "duration": "30s", **many}, "stop_early: reads the counts of one k6")
            for many in ({"generators": 2}, {"ray": "auto"})
        ),
        ({"generators": 0}, "generators = 0"),
        ({"generators": 101}, "generators = 101"),
        (
            {"generators": 2, "k6_tags": {"generator": "a"}},
            "k6_tags.generator: tells the samples of 2 generators apart",
        ),
        ({"generators": 2, "k6_outputs": ["cloud"]}, "cloud makes a test of its own of each of 2 generators"),
        ({"ray": "10.0.0.5"}, "ray = '10.0.0.5': must be auto or HOST:PORT"),
        ({"ray": "auto", "k6_outputs": ["json"]}, "ray: json would be written on the machines of the generators"),
        ({"ray": "auto", "k6_dashboard": True}, "ray: k6_dashboard would be written on the machines"),
        ({"algorithm_entrypoint": "policies"}, "must be module:Class"),
        ({"memory": {"backend": "sqlite"}}, "memory.backend = 'sqlite'"),
        ({"run_id": "a/b"}, "run_id = 'a/b'"),
        ({"seed": 2**63}, f"seed = {2**63}"),
        ({"rate_strategy": {"type": "custom", "rates": [3_000_000_000]}}, "rate_strategy.rates[0] = 3000000000"),
        (
            {"k6_tags": {"custom": 5}},
            "k6_tags.custom = 5: must be text; where YAML reads something else, write it in quotes",
        ),
        ({"iterations": True}, "iterations: must be a number, not true (YAML reads yes and on as true"),
        ({"functions": [{"name": "a", "max_rate": False}]}, "functions[0].max_rate: must be a number, not false"),
        ({"rate_strategy": {"type": "custom", "rates": [5, True]}}, "rates = [5, True]: must be a number, not true"),
        (
            {"configurations": [{"fetch": 10}, {"fetch": True}]},
            "configurations[1].fetch = True: must be a number, not true (YAML reads yes and on as true",
        ),
        ({"early_abort": "yes"}, "early_abort = 'yes': must be true or false"),
        ({"k6_log": "true"}, "k6_log = 'true': must be true or false"),
        ({"overload": {"backlog": "no"}}, "overload.backlog = 'no': must be true or false"),
        ({"overload": {"backlog": 1}}, "overload.backlog = 1: must be true or false"),
        ({"memory": {"preload_raw_debug": "on"}}, "memory.preload_raw_debug = 'on': must be true or false"),
        (
            {"functions": [{"name": "a", "overload": {"backlog": "yes"}}]},
            "functions[0].overload.backlog = 'yes': must be true or false",
        ),
        ({"configurations": [{"fetch": False}]}, "configurations[0].fetch = False: must be a number, not false"),
        ({"cooldown": {"max_wait_seconds": float("inf")}}, "cooldown.max_wait_seconds = inf: must be a finite number"),
        (
            {"cooldown": {"sleep_step_seconds": 1e300}},
            "cooldown.sleep_step_seconds = 1e+300: input should be less than",
        ),
        ({"cooldown": {7: 1}}, "cooldown: the key 7 must be text"),
        ({"functions": [{"name": "a", "headers": {True: "x"}}]}, "functions[0].headers: the key True must be text"),
        ({True: 1}, "configuration: the key True must be text; where YAML reads something else, write it in quotes"),
        ({"timeout": "9999999h"}, "timeout = '9999999h': must be at most 8760h"),
        ({"memory": {"db_path": "a\0b"}}, "memory.db_path: must not hold a NUL character"),
        ({"memory": {"db_path": ":memory:"}}, "memory.db_path = ':memory:': must be a file"),
        ({"memory": {"db_path": "s3://bucket/m.duckdb"}}, "must be a path on this machine, not a URL"),
        ({"output_dir": "https://host/results"}, "must be a path on this machine, not a URL"),
        ({"memory": {"db_path": "~nobody-here/x"}}, "names a home folder that cannot be found"),
        ({"k6_tags": {"a": "\ud800"}}, "k6_tags: must be valid Unicode text"),
        ({"k6_outputs": [" "]}, "k6_outputs[0] = ' ': must name an output"),
        ({"k6_outputs": ["loki=http://{host.address}:3100"]}, "{host.address} is not replaced here: write the address"),
        ({"rate_strategy": {"type": "exponential", "min_power": 10**30}}, "min_power = 1000000"),
        (
            {"rate_strategy": {"type": "exponential", "max_power": 20, "max_rate": 10**6}},
            "max_rate must be at most 100000",
        ),
    ],
)
def test_an_error_names_key_value_and_remedy(data: dict[str, Any], said: str) -> None:
    assert said in problem_of(data)


@pytest.mark.parametrize("key", ["run_id", "duration"])
def test_a_very_long_value_is_refused_at_once(key: str) -> None:
    """It took minutes: the time of a regular expression grew with the square of its length."""
    assert f"{key} = 'aaaaaaaaaa" in problem_of({key: "a" * 1_000_000})


@pytest.mark.parametrize(
    "data",
    [
        {"k6_env": {"x" * 1_000_000: "1"}},
        {"k6_env_from": ["x" * 1_000_000]},
        {"k6_outputs": ["json", f"json={'x' * 1_000_000}"]},
        {"function_pid_regexes": {"x" * 1_000_000: "a"}},
        {"functions": [{"name": "a", "headers": {"x " * 100 + "x" * 1_000_000: "1"}}]},
    ],
)
def test_a_very_long_name_is_shortened(data: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(data)
    assert len(str(error.value)) < 1000
    assert "x…" in str(error.value)


def test_an_unknown_key_is_named_before_the_one_that_is_missing_for_it() -> None:
    for data, said in (
        ({"functions": [{"nam": "a"}]}, "functions[0].nam: unknown key; did you mean 'name'? (and 1 more)"),
        ({"functions": [{}, {"nam": "a"}]}, "functions[0].name: is required (and 2 more)"),
        ({"iterations": 0, "iteration": 1}, "iterations = 0: input should be greater than"),
    ):
        with pytest.raises(ConfigError) as error:
            parse_config(data)
        assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("duration: 2024-01-01", "duration = 2024-01-01: must be a number and a unit"),
        ("duration: 2024-01-01 10:00:00", "duration = 2024-01-01 10:00:00: must be a number and a unit"),
        ("iterations: [2024-01-01]", "iterations = [2024-01-01]: must be a whole number"),
        ("2024-01-01: 5", "the key 2024-01-01 must be text"),
        ("2024-01-01", "it holds 2024-01-01"),
        ("2024-01-01: 5\n2024-01-01: 6", "line 2: the key 2024-01-01 stands on line 1 already"),
        ("plugins: {peva_faas: {k3s_host: 2024-01-01}}", "k3s_host = 2024-01-01: must be"),
    ],
)
def test_a_date_is_shown_as_yaml_has_it(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "peva.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("peva.json", '{"LONG": 1, "LONG": 2}'),
        ("peva.yml", "? LONG\n: 1\n? LONG\n: 2"),
        ("peva.yml", "seed: !LONG 5"),
        ("peva.json", '["LONG"]'),
    ],
)
def test_a_very_long_part_of_a_file_that_cannot_be_read_is_shortened(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text.replace("LONG", "x" * 1_000_000))
    with pytest.raises(ConfigError) as error:
        read_mapping(tmp_path / name)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    "name", ["a/b", 'a"b', "..", "a..b", "", "a b", "-a", "a.", "a\n", "ä", "a:b", "a|b", "x" * 64]
)
def test_a_function_name_that_could_become_a_path_or_code_is_refused(name: str) -> None:
    assert "functions[0].name" in problem_of({"functions": [{"name": name}]})


@pytest.mark.parametrize("name", ["figlet", "env.ns", "a-b_c", "0"])
def test_a_plain_function_name_is_taken(name: str) -> None:
    assert parse_config({"functions": [{"name": name}]}).functions[0].name == name


@pytest.mark.parametrize(("text", "seconds"), [("1500ms", 1.5), ("30s", 30), ("2m", 120), ("1h", 3600), ("1.5s", 1.5)])
def test_durations(text: str, seconds: float) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize(
    ("strategy", "rates"),
    [
        ({"type": "linear", "min_rate": 5, "max_rate": 20, "step": 10}, [5, 15]),
        ({"type": "exponential", "min_power": 2, "max_power": 9, "max_rate": 40}, [4, 8, 16, 32]),
        ({"type": "exponential", "max_power": 2, "max_rate": 10**9}, [1, 2, 4]),
        (
            {"type": "exponential", "max_power": 10**9, "max_rate": None, "base": 10},
            [1, 10, 100, 1000, 10_000, 100_000],
        ),
        ({"type": "custom", "rates": [30, 10, 30]}, [10, 30]),
        ({"type": "random", "min_rate": 1, "max_rate": 3, "count": 9}, [1, 2, 3]),
    ],
)
def test_rate_strategies(strategy: dict[str, Any], rates: list[int]) -> None:
    assert parse_config({"rate_strategy": strategy}).rate_strategy.generate_rates() == rates


def test_random_rates_are_the_same_at_every_start() -> None:
    strategy = {"type": "random", "count": 5}
    rates = parse_config({"rate_strategy": strategy}).rate_strategy.generate_rates()
    assert rates == parse_config({"rate_strategy": strategy}).rate_strategy.generate_rates()
    assert rates == sorted(set(rates))
    assert len(rates) == 5
    assert rates != parse_config({"rate_strategy": strategy, "seed": 1}).rate_strategy.generate_rates()


def test_the_older_rates_are_migrated_with_a_deprecation_warning() -> None:
    with pytest.warns(FutureWarning, match="rate_strategy"):
        config = parse_config({"rates": {"min_rate": 10, "max_rate": 30, "step": 10}})
    assert config.rate_strategy.generate_rates() == [10, 20, 30]


def test_the_older_rates_beside_a_strategy_are_told_to_be_ignored() -> None:
    with pytest.warns(FutureWarning, match="^'rates' is ignored, because 'rate_strategy' is there, too: leave it out$"):
        config = parse_config({"rates": {"max_rate": 30}, "rate_strategy": {"type": "custom", "rates": [7]}})
    assert config.rate_strategy.generate_rates() == [7]


@pytest.mark.filterwarnings("ignore:'rates' is deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ([1, 2], ": rates = [1, 2]: must hold keys and values"),
        ({"max_rate": "x"}, ": rates.max_rate = 'x': must be a whole number"),
        ({"max_rate": True}, ": rates.max_rate: must be a number, not true"),
        ({"highest": 3}, ": rates.highest: unknown key; known keys: max_rate, min_rate, step"),
    ],
)
def test_what_is_wrong_with_the_older_rates_names_them(rates: object, said: str) -> None:
    assert said in problem_of({"rates": rates})


def test_json_and_yaml_say_the_same(tmp_path: Path) -> None:
    yaml_file = write(tmp_path, "duration: 7s\nfunctions: [{name: a}]")
    json_file = write(tmp_path, json.dumps({"duration": "7s", "functions": [{"name": "a"}]}), "peva.json")
    assert load_config(yaml_file) == load_config(json_file)
    for file in (yaml_file, json_file):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())  # the byte order mark of some editors
    assert load_config(yaml_file) == load_config(json_file)


def test_yaml_may_repeat_itself_by_anchors(tmp_path: Path) -> None:
    text = "functions: [&a {name: a, max_rate: 50}, {<<: *a, name: b}]"
    assert [function.max_rate for function in load_config(write(tmp_path, text)).functions] == [50, 50]


def test_a_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/home")
    config = parse_config({"output_dir": "~/out", "memory": {"export_core_parquet_dir": "~/core"}})
    assert (config.output_dir, config.memory.export_core_parquet_dir) == ("/srv/home/out", "/srv/home/core")
    assert config.memory.db_path == "/srv/home/out/peva_faas.duckdb"


def test_paths_are_taken_relative_to_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "functions: [{name: a, source: 'fn/main.py:handler'}]")
    assert load_config(path).functions[0].source == f"{tmp_path}/fn/main.py:handler"
    path = write(tmp_path, "grafana: {url: 'http://127.0.0.1:3000', token_file: secrets/token}")
    grafana = load_config(path).grafana
    assert grafana is not None
    assert grafana.token_file == f"{tmp_path}/secrets/token"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yml", "functions: [{name: a", "line 1 is not valid YAML"),
        ("a.json", '{"duration": ', "line 1 is not valid JSON"),
        ("a.yml", "", "must hold keys and values, each as `key: value`; it holds nothing"),
        ("a.yml", "- 1", "must hold keys and values"),
        ("a.yml", "plugins: {other: {}}", "sections 'common' and 'plugins.peva_faas'"),
        ("a.yml", "plugins: {other: {}, Peva-FaaS: {}}", "plugins.Peva-FaaS: unknown key; did you mean 'peva_faas'?"),
        ("a.yml", "plugins: 5", "sections 'common' and 'plugins.peva_faas'"),
        ("a.yml", "plugins: []", "sections 'common' and 'plugins.peva_faas'"),
        ("a.yml", "common: 0", "sections 'common' and 'plugins.peva_faas'"),
        ("a.yml", "common: [5]", "sections 'common' and 'plugins.peva_faas'"),
        (
            "a.yml",
            "duration: 1s\nrun_id: 2024-13-45",
            "line 2 is not valid YAML: '2024-13-45' is no valid timestamp; in quotes",
        ),
        ("a.yml", "duration: 1s\nrun_id: a\0b", "line 2 is not valid YAML: holds the character '.x00'"),
        ("a.yml", "run_id: 0b_", "'0b_' is no valid int; in quotes"),
        ("a.yml", "run_id: =", "'=' is no valid value; in quotes"),
        ("a.yml", "run_id: <<", "'<<' is no valid merge; in quotes"),
        ("a.yml", "run_id: !!int abc", "'abc' is no valid int"),
        ("a.yml", "run_id: !!timestamp abc", "'abc' is no valid timestamp"),
        ("a.yml", f"seed: {'9' * 5000}", "is no valid int"),
        ("a.json", '{"seed": ' + "9" * 5000 + "}", "holds a number of too many digits"),
        ("a.yml", f"seed: {'[' * 600}{']' * 600}", "is nested too deeply"),
        ("a.json", '{"seed": ' + "[" * 99999 + "]" * 99999 + "}", "is nested too deeply"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load_config(write(tmp_path, text, name))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"/dev/zero: is longer than 20,000,000 characters"):
        load_config(Path("/dev/zero"))
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.yml")
    (tmp_path / "bin.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a text file"):
        load_config(tmp_path / "bin.yml")


@pytest.mark.parametrize("url", ["http://10.0.0.5:9090", "https://prometheus.example/sub"])
def test_an_address_is_taken(url: str) -> None:
    assert parse_config({"prometheus_url": url}).prometheus_url == url


@pytest.mark.parametrize(
    "url", ["localhost:9090", "ftp://h", "http://", "http://h:port", "http://h?a=b", "http://h#a", "http://h/a b", ""]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    assert "prometheus_url = " in (said := problem_of({"prometheus_url": url}))
    assert "for example http://127.0.0.1:8080" in said


@pytest.mark.parametrize(("end", "sign"), [("?a=b", "?"), ("#a", "#"), ("/a b", " ")])
def test_what_an_address_must_not_hold_is_named(end: str, sign: str) -> None:
    said = problem_of({"prometheus_url": f"http://h{end}"})
    assert f"must be an http:// or https:// address without '{sign}', for example" in said


@pytest.mark.parametrize("host", ["{host.address}", "<k3s-ip>"])
def test_a_placeholder_is_no_address(host: str) -> None:
    said = problem_of({"gateway_url": f"http://{host}:31112"})
    assert f"{host} is not replaced here: write the address itself, for example 10.0.0.50" in said


@pytest.mark.parametrize("user", ["admin:hunter2", "hunter2", "a:hunter2@b", "a:hunter2/"])
def test_an_address_with_a_secret_is_refused_and_the_secret_is_not_told(user: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"prometheus_url": f"http://{user}@10.0.0.5:9090"})
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "prometheus_url = '...@10.0.0.5:9090'" in str(caught.value)


def test_metrics_need_an_address() -> None:
    with pytest.raises(ConfigError, match="prometheus_url is needed"):
        make_metrics(parse_config({}))


def test_the_file_of_queries_is_taken_relative_to_the_configuration(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "queries_path: q/mine.yml")).queries_path == f"{tmp_path}/q/mine.yml"
    assert load_config(write(tmp_path, "queries_path: /q/mine.yml")).queries_path == "/q/mine.yml"


def test_the_sample_loads_and_names_every_key() -> None:
    config = load_config(SAMPLE_CONFIG)
    text = SAMPLE_CONFIG.read_text(encoding="utf-8")
    assert [key for key in DfaasConfig.model_fields if f"{key}:" not in text] == []
    assert [function.name for function in config.functions] == ["fetch", "checkout"]


def test_rules_of_a_function_stand_with_it_or_in_the_section_of_rules() -> None:
    beside = parse_config({"functions": [{"name": "a", "overload": {"p95_ms_max": 200}}, {"name": "b"}]})
    inside = parse_config(
        {"functions": [{"name": "a"}, {"name": "b"}], "overload": {"functions": {"a": {"p95_ms_max": 200}}}}
    )
    assert beside.overload == inside.overload
    assert beside.overload.limits_of("a").latencies_ms == (None, None, None, 200, None)
    assert beside.overload.limits_of("b") == OverloadConfig().limits_of("b")
    assert parse_config(beside.model_dump(mode="json", exclude_unset=True)) == beside
    both = parse_config(
        {
            "functions": [{"name": "a", "overload": {"p95_ms_max": 200, "backlog": False}}],
            "overload": {"functions": {"a": {"p95_ms_max": 200.0, "p50_ms_max": 20}}},
        }
    )
    assert both.overload.limits_of("a").latencies_ms == (None, 20, None, 200, None)
    assert both.overload.as_context()["functions"] == {"a": {"p95_ms_max": 200, "p50_ms_max": 20, "backlog": False}}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"overload": {"p95_ms_max": 0}}, "overload.p95_ms_max = 0: input should be greater than 0"),
        ({"overload": {"p95_max": 9}}, "overload.p95_max: unknown key; did you mean 'p95_ms_max'?"),
        ({"overload": {"p95_ms_max": 1e-320}}, "overload.p95_ms_max = 1e-320: must be at least 1e-06"),
        (
            {"overload": {"functions": {"fetch": {"p95_ms_mx": 3}}}},
            "overload.functions.fetch.p95_ms_mx: unknown key; did you mean 'p95_ms_max'?",
        ),
        ({"overload": {"functions": {"x": {}}}}, "overload.functions.x: there is no such function, only fetch"),
        ({"functions": [{"name": "a", "overload": {"cpu": 1}}]}, "functions[0].overload.cpu: unknown key"),
        *(
            (
                {
                    "functions": [{"name": "a", "overload": {"p95_ms_max": 5}}],
                    "overload": {"functions": {"a": {"p95_ms_max": other}}},
                },
                f"functions[0].overload.p95_ms_max = 5.0 and overload.functions.a.p95_ms_max = {text}: are one rule; "
                "give it once",
            )
            for other, text in ((6, "6.0"), (None, "null"))
        ),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(data: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(data)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yml", "duration: 1s\niterations: 2\nduration: 3s\n", "line 3: the key 'duration' stands on line 1 already"),
        ("a.yml", "functions:\n- name: b\n  name: c\n", "line 3: the key 'name' stands on line 2 already"),
        ("a.yml", "a: 1\n'a': 2\n", "line 2: the key 'a' stands on line 1 already"),
        ("a.yml", "b: &b {x: 1}\nc: {<<: *b, y: 2, y: 3}\n", "line 2: the key 'y' stands on line 2 already"),
        (
            "a.yml",
            "a: &a {x: 1}\nb: &b {x: 2}\nc:\n  <<: *a\n  <<: *b\n",
            "line 5: the key '<<' stands on line 4 already",
        ),
        ("a.json", '{"duration": "1s",\n"duration": "3s"}', "the key 'duration' stands twice in one object"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = write(tmp_path, text, name)
    with pytest.raises(ConfigError) as caught:
        read_mapping(path)
    assert str(caught.value) == f"{path}: {said}"


def test_a_mapping_that_overrides_a_merged_key_can_be_merged_itself(tmp_path: Path) -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b, y: 3}\n"
    assert read_mapping(write(tmp_path, text, "a.yml"))["c"] == {"x": 2, "y": 3}


@pytest.mark.parametrize("key", ["x", "rate"])
def test_of_several_mappings_the_first_that_has_a_key_gives_its_value(tmp_path: Path, key: str) -> None:
    text = f"a: &a {{{key}: 1}}\nb: &b {{{key}: 2, y: 2}}\nc: {{<<: [*a, *b]}}\nd: {{<<: [*b, *a]}}\n"
    data = read_mapping(write(tmp_path, text, "a.yml"))
    assert (data["c"], data["d"]) == ({key: 1, "y": 2}, {key: 2, "y": 2})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: {<<: 5}", "line 2 is not valid YAML: << merges mappings, and this is none"),
        ("a: 1\nb: {<<: [{x: 1}, 5]}", "line 2 is not valid YAML: << merges mappings, and this is none"),
        ("a: 1\nb: {<<: null}", "line 2 is not valid YAML: << merges mappings, and this is none"),
        ("a: 1\n? [b]\n: 2", "line 2 is not valid YAML: a list or a mapping cannot be a key"),
        ("a: 1\n? {b: 2}\n: 2", "line 2 is not valid YAML: a list or a mapping cannot be a key"),
    ],
)
def test_a_wrong_merge_or_key_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_mapping(write(tmp_path, text, "a.yml"))
    assert str(caught.value).endswith(said)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGED = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 12))


@pytest.mark.parametrize("text", [BOMB, BOMB.replace("x,", "{x: 1},"), MERGED, f"- {BOMB}".replace("\n", "\n- ") + "x"])
def test_aliases_that_expand_beyond_measure_are_one_line(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_mapping(path)
    assert str(caught.value) == (
        f"{path}: is not valid YAML: its aliases (*) expand to more than 100,000 values, or an alias holds itself"
    )


def test_only_values_that_aliases_repeat_are_limited(tmp_path: Path) -> None:
    ones = f"[{'1, ' * 1_000}]"
    read = read_mapping(write(tmp_path, f"a: {ones}\nb: &b {ones}\nc: [{'*b, ' * 99}]"))
    assert sum(map(len, [read["a"], read["b"], *read["c"]])) == 101_000  # of which 99,000 are repeated


def test_a_key_that_is_merged_in_may_be_replaced(tmp_path: Path) -> None:
    text = "b: &b {x: 1}\nd: &d {y: 1}\nc:\n  <<: [*b, *d]\n  x: 2\n"
    assert read_mapping(write(tmp_path, text))["c"] == {"x": 2, "y": 1}


LAUGHS = "a0: &b0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 9)}]\n" for i in range(1, 5)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("iterations: 0x" + "f" * 5000, "is no valid int"),
        ("iterations: !!bool x", "is no valid bool"),
        ("k6_tags:\n" + "".join(f"  {line}\n" for line in LAUGHS.splitlines()), "k6_tags.a0"),
    ],
    ids=["thousands of digits", "no truth value", "aliases of aliases"],
)
def test_a_value_that_cannot_be_built_or_shown_is_one_line_at_once(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.yml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.yml")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 500
