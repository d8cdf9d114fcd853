"""Files of PEVA-FAAS: what its own validation accepts loads here, or is refused in one line that says why."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from peva_env.config import DfaasConfig, load_config
from peva_env.errors import ConfigError
from tests.support.peva_faas_files import PevaFaasFile, peva_faas_files

PEVA_FAAS_FILE = """
common:
  timeout_buffer: 10
  duration: 20s
  someone_elses_key: 1
plugins:
  peva_faas:
    k3s_host: 10.0.0.50
    k3s_user: ubuntu
    gateway_url: http://10.0.0.50:31112
    prometheus_url: http://10.0.0.50:30411
    k6_outputs: [loki=http://10.0.0.9:3100/loki/api/v1/push]
    k6_tags: {environment: lab}
    grafana: {enabled: true, url: "http://10.0.0.9:3000"}
    functions:
      - {name: figlet, method: post, body: "Hello", headers: {Content-Type: text/plain}, max_rate: 100}
      - {name: env}
    rates: {min_rate: 0, max_rate: 100, step: 20}
    combinations: {min_functions: 1, max_functions: 3}
    iterations: 2
    algorithm_entrypoint: null
    overload: {cpu_overload_pct_of_capacity: 70}
    queries_path: queries.yml
    deploy_functions: true
    scaphandre_enabled: false
    memory: {backend: duckdb, db_path: old/peva_faas.duckdb}
"""


def load(folder: Path, content: Any) -> tuple[DfaasConfig, str]:
    """Load a file; return the configuration and its one warning about keys."""
    path = folder / "peva.yml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        config = load_config(path)
    told = [str(one.message) for one in caught if one.category is UserWarning]
    assert len(told) <= 1
    return config, told[0].partition("mean nothing here: ")[2] if told else ""


def at(config: DfaasConfig, where: str) -> Any:
    found: Any = config
    for key in where.split("."):
        found = getattr(found, key)
    return [function.name for function in found] if where == "functions" else found


@settings(max_examples=50, deadline=None)
@given(file=peva_faas_files())
def test_every_file_that_peva_faas_accepts_loads_or_is_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, file: PevaFaasFile
) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        config, ignored = load(folder, file.content)
    except ConfigError as error:
        message = str(error)
        assert "\n" not in message
        assert any(where in message for where in file.odd), message
        return
    assert file.odd == []
    assert {name.partition(" (")[0] for name in ignored.split(", ") if name} == file.ignored
    assert {where: at(config, where) for where in file.values} == file.values
    if file.rates is not None:
        assert config.rate_strategy.generate_rates() == file.rates


def section(tmp_path: Path, **keys: Any) -> tuple[DfaasConfig, str]:
    return load(tmp_path, {"plugins": {"peva_faas": keys}})


def test_a_file_loads_with_one_warning_about_what_means_nothing(tmp_path: Path) -> None:
    config, ignored = load(tmp_path, PEVA_FAAS_FILE)
    assert ignored == "deploy_functions, grafana, k3s_user, someone_elses_key, timeout_buffer"
    assert (config.queries_path, config.scaphandre_enabled) == (f"{tmp_path}/queries.yml", False)
    assert config.prometheus_url == "http://10.0.0.50:30411"
    assert (config.platform, config.gateway_url) == ("openfaas", "http://10.0.0.50:31112")
    assert (config.duration, config.iterations, config.functions[0].method) == ("20s", 2, "POST")
    assert config.rate_strategy.generate_rates() == [0, 20, 40, 60, 80, 100]
    assert config.overload.cpu_overload_pct_of_capacity == 70
    assert config.memory.db_path == "old/peva_faas.duckdb"


def test_a_grafana_section_is_not_taken_for_ours(tmp_path: Path) -> None:
    text = "common: {grafana: {url: 'http://10.0.0.9:3000', token: x}}\nplugins: {peva_faas: {duration: 3s}}"
    config, ignored = load(tmp_path, text)
    assert (config.grafana, ignored) == (None, "grafana")


def test_keys_that_peva_faas_ignores_are_ignored_and_named(tmp_path: Path) -> None:
    config, ignored = section(
        tmp_path,
        duratoin="3s",
        cooldown={"max_wait_seconds": 60, "max_wait": 5},
        functions=[{"name": "figlet", "image": "figlet:1"}],
        rate_strategy={"type": "linear", "max_rate": 20, "count": 3},
    )
    assert (config.duration, config.cooldown.max_wait_seconds) == ("30s", 60)
    assert config.rate_strategy.generate_rates() == [0, 10, 20]
    assert ignored == (
        "cooldown.max_wait, duratoin (did you mean 'duration'?), functions[0].image, rate_strategy.count"
    )


def test_a_key_outside_of_the_sections_is_ignored_and_named(tmp_path: Path) -> None:
    config, ignored = load(tmp_path, "duration: 3s\ncommon: {seed: 5}\nplugins: {peva_faas: {seed: 7}}")
    assert (config.duration, config.seed, ignored) == ("30s", 7, "duration, seed")


def test_an_ignored_key_is_told_with_the_one_that_may_be_meant_in_every_section(tmp_path: Path) -> None:
    text = (
        "Common: {}\ncommon: {duratoin: 5s, Iterations: 2, k3s_hots: h, k6_port: 1}\n"
        "plugins: {peva_faas: {Duration: 5s}}"
    )
    assert load(tmp_path, text)[1] == (
        "Common (did you mean 'common'?), Duration (did you mean 'duration'?), "
        "Iterations (did you mean 'iterations'?), duratoin (did you mean 'duration'?), "
        "k3s_hots (did you mean 'k3s_host'?), k6_port"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{? LONG : 1, plugins: {peva_faas: {}}}",
        "{common: {? LONG : 1}}",
        "{plugins: {peva_faas: {? LONG : 1}}}",
        "{plugins: {peva_faas: {memory: {? LONG : 1}}}}",
        "{plugins: {peva_faas: {function_pid_regexes: {? LONG : a}}}}",
    ],
)
def test_a_very_long_key_is_shortened_in_the_warning(tmp_path: Path, text: str) -> None:
    ignored = load(tmp_path, text.replace("LONG", "x" * 1_000_000))[1]
    assert "x" * 50 in ignored
    assert len(ignored) < 200


def test_our_own_keys_keep_their_rules_in_it(tmp_path: Path) -> None:
    assert section(tmp_path, early_abort=True)[0].early_abort
    with pytest.raises(ConfigError, match="dominance = 'both'"):
        section(tmp_path, dominance="both")


@pytest.mark.parametrize(
    "text",
    [
        "common:",
        "plugins:",
        "plugins: {peva_faas: {}}",
        "plugins:\n  peva_faas:\n    # duration: 3s",
        "common: {}\nplugins: {}",
    ],
)
def test_a_file_without_keys_has_the_defaults_of_peva_faas(tmp_path: Path, text: str) -> None:
    config, ignored = load(tmp_path, text)
    assert ignored == ""
    assert [(one.name, one.method, one.body) for one in config.functions] == [("figlet", "POST", "Hello PEVA-faas!")]
    assert (config.gateway_url, config.prometheus_url) == ("http://127.0.0.1:31112", "http://127.0.0.1:30411")


def test_the_node_is_where_k3s_host_says(tmp_path: Path) -> None:
    text = (
        "common: {k3s_host: 10.0.0.50}\n"
        "plugins: {peva_faas: {gateway_url: 'http://{host.address}:8080', "
        "functions: [{name: a, body: '{host.address}'}]}}"
    )
    config, _ = load(tmp_path, text)
    assert (config.gateway_url, config.prometheus_url) == ("http://10.0.0.50:8080", "http://10.0.0.50:30411")
    assert config.functions[0].body == "{host.address}"


@pytest.mark.parametrize("host", ["node-1.example", "[fd00::5]", "knöten"])
def test_k3s_host_is_a_host_of_any_kind(tmp_path: Path, host: str) -> None:
    config, _ = load(tmp_path, {"common": {"k3s_host": host}})
    assert config.gateway_url == f"http://{host}:31112"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        (["10.0.0.5"], "['10.0.0.5']"),
        ({"address": "10.0.0.5"}, "{'address': '10.0.0.5'}"),
        (10.5, "10.5"),
        (5, "5"),
        (0, "0"),
        (True, "True"),
        (False, "False"),
        ("http://10.0.0.5", "'http://10.0.0.5'"),
        ("http://me:secret@10.0.0.5", "'...@10.0.0.5'"),
        ("10.0.0.5/", "'10.0.0.5/'"),
        ("h:80", "'h:80'"),
        ("fd00::5", "'fd00::5'"),
        ("[10.0.0.5]", "'[10.0.0.5]'"),
        ("10.0.0.5\n", r"'10.0.0.5\n'"),
        ("{host.address}", "'{host.address}'"),
    ],
)
def test_k3s_host_that_is_no_host_is_refused(tmp_path: Path, host: object, shown: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"common": {"k3s_host": host}})
    told = f"{tmp_path}/peva.yml: k3s_host = {shown}: must be the node's address or host name alone, without http://"
    assert str(caught.value).startswith(told)


def test_a_placeholder_without_k3s_host_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\{host.address\} is not replaced here: write the address itself"):
        section(tmp_path, prometheus_url="http://{host.address}:30411")


def test_sections_are_merged_key_by_key(tmp_path: Path) -> None:
    text = "common: {overload: {ram_overload_pct: 50}}\nplugins: {peva_faas: {overload: {success_rate_node_min: 0.5}}}"
    overload = load(tmp_path, text)[0].overload
    assert (overload.ram_overload_pct, overload.success_rate_node_min) == (50, 0.5)
    cyclic = "common: {overload: &a {ram_overload_pct: 50, x: *a}}\nplugins: {peva_faas: {overload: &b {x: *b}}}"
    with pytest.raises(ConfigError, match="an alias holds itself"):
        load(tmp_path, cyclic)


@pytest.mark.parametrize(
    ("strategy", "rates"),
    [({"type": "linear"}, [5, 10]), ({"type": "linear", "step": 10}, [5, 10]), ({"type": "custom", "rates": [7]}, [7])],
)
def test_the_older_rates_win_over_the_default_strategy_alone(
    tmp_path: Path, strategy: dict[str, Any], rates: list[int]
) -> None:
    older = {"min_rate": 5, "max_rate": 10, "step": 5, "type": "custom"}
    assert section(tmp_path, rates=older, rate_strategy=strategy)[0].rate_strategy.generate_rates() == rates


def test_what_cannot_be_measured_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"duration = '500ms': must be at least 1s, .*: write 1s or more"):
        section(tmp_path, duration="500ms")


def test_max_rate_null_is_no_limit_of_a_function_or_an_exponential_strategy(tmp_path: Path) -> None:
    functions = [{"name": "a", "max_rate": None}]
    config, ignored = section(tmp_path, functions=functions, rate_strategy={"type": "exponential", "max_rate": None})
    assert (config.functions[0].max_rate, ignored) == (None, "")
    assert config.rate_strategy.generate_rates() == [1, 2, 4, 8, 16, 32, 64, 128, 256]


@pytest.mark.parametrize("kind", ["linear", "random", "rates"])
def test_max_rate_null_is_refused_where_peva_faas_refuses_it_since_its_own_field_is_an_int(
    tmp_path: Path, kind: str
) -> None:
    rates = {"min_rate": 0, "max_rate": None}
    given = {"rates": rates} if kind == "rates" else {"rate_strategy": {"type": kind, **rates}}
    key = "rates" if kind == "rates" else "rate_strategy"
    with pytest.raises(ConfigError, match=rf": {key}\.max_rate = None: must be a whole number"):
        section(tmp_path, **given)
