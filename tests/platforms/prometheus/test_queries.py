"""The file of queries: PEVA-FAAS's loads, what is wrong is named, and what is filled in stays a value."""

import re
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.errors import ConfigError
from peva_env.platforms.prometheus.queries import Query, range_selectors, span
from peva_env.platforms.prometheus.queries_file import PLACEHOLDERS, load_queries
from tests.support.prometheus_server import LEGACY_QUERIES

CPU = "{name: cpu_usage_node, query: 'a[{time_span}]'}"
RAM = "{name: ram_usage_node_pct, query: 'b[{time_span}]'}"


def load(folder: Path, text: str) -> dict[str, Query]:
    path = folder / "queries.yml"
    path.write_text(text)
    return load_queries(path)


def test_a_file_of_peva_faas_loads_and_says_how_many_cores_there_are(tmp_path: Path) -> None:
    queries = load(tmp_path, LEGACY_QUERIES)
    assert queries["cpu_usage_node"].step_s == 10
    assert queries["power_usage_node"].of_scaphandre
    assert queries.keys() == {
        "cores_node", "ram_total_node", "cpu_usage_node", "ram_usage_node", "ram_usage_node_pct", "power_usage_node",
        "cpu_usage_function",
    }  # fmt: skip


def test_our_own_file_has_every_query() -> None:
    assert load_queries(None).keys() == PLACEHOLDERS.keys()


@pytest.mark.parametrize("plugin", ["dfaas", "peva_faas"])
def test_the_default_path_of_peva_faas_means_our_own(tmp_path: Path, plugin: str) -> None:
    path = tmp_path / "lb_plugins" / "plugins" / plugin / "queries.yml"
    with pytest.warns(UserWarning, match="does not exist; peva-env's own queries are used"):
        assert load_queries(path) == load_queries(None)
    path.parent.mkdir(parents=True)
    path.write_text(LEGACY_QUERIES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_queries(path) != load_queries(None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("queries: []", "has no query named 'cpu_usage_node'"),
        (f"queries: [{CPU}]", "has no query named 'ram_usage_node_pct'"),
        ("- 1", "must hold keys and values"),
        ("queries: {a: b}", "queries"),
        ("query: []", "queries: is required"),
        ("queries: [{name: a}]", "queries[0].query: is required"),
        ("queries: [{name: a, query: b, steps: 3s}]", "did you mean 'step'?"),
        ("queries: [{name: a, query: b, step: soon}]", "queries[0].step = 'soon': must be a number and a unit"),
        ("queries: [{name: a, query: b, enabled_if: scaphander}]", "queries[0].enabled_if = 'scaphander'"),
        (f"queries: [{CPU}, {CPU}]", "two queries named 'cpu_usage_node'"),
        ("queries: [{name: cpu_usage_node, query: 'a[{time}]'}]", "{time} cannot be filled in here; placeholders"),
        ("queries: [{name: cpu_usage_node, query: 'a{b=\"{function_name}\"}'}]", "{function_name} cannot be filled in"),
        ("queries: [{name: cpu_usage_function, query: '{function_name}_cpu'}]", "must stand inside quotes"),
        ("queries: [{name: cpu_usage_function, query: 'sum(a)'}]", "must say {function_name}"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ConfigError) as caught:
            load(tmp_path, text)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/queries.yml: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yml: cannot be read"):
        load_queries(tmp_path / "none.yml")


def test_queries_of_no_use_are_told(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="these queries are not used: latency; known are"):
        load(tmp_path, f"queries: [{CPU}, {RAM}, {{name: latency, query: c}}]")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("sum(node_a)", 'sum(node_a{instance="x:1", })'),
        ('rate(node_a{m="idle"}[1s])', 'rate(node_a{instance="x:1", m="idle"}[1s])'),
        ("node_a - node_b{}", 'node_a{instance="x:1", } - node_b{instance="x:1", }'),
        ('node_a{instance=~"y.*"}', 'node_a{instance=~"y.*"}'),
        ('node_a{v="{instance}"}', 'node_a{v="x:1"}'),
        ('sum by (node_name) (b{v="node_a"})', 'sum by (node_name) (b{v="node_a"})'),
        ("instance:node_a:rate", "instance:node_a:rate"),
        ('sum(rate(x{node_name="a"}[1s]))', 'sum(rate(x{node_name="a"}[1s]))'),
        ('x{b="}", node_name=~"a"} + node_a', 'x{b="}", node_name=~"a"} + node_a{instance="x:1", }'),
        ('node_a{node_name="a"}', 'node_a{instance="x:1", node_name="a"}'),
        ("node_cpu:rate5m", 'node_cpu:rate5m{instance="x:1", }'),
    ],
)
def test_a_query_that_names_no_machine_is_asked_of_the_node(text: str, filled: str) -> None:
    assert Query("cpu_usage_node", text).filled({"instance": "x:1"}) == filled


@given(st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9_-]|\.[A-Za-z0-9_-]){0,12}\Z"))
def test_a_name_matches_itself_only(name: str) -> None:
    query = Query("cpu_usage_function", 'a{c="{function_name}",p=~"{function_name}-x{5}"}').filled(
        {"function_name": name}
    )
    exact, pattern = (text.replace("\\\\", "\\") for text in re.findall(r'"((?:\\.|[^"\\])*)"', query))
    assert exact == name
    assert re.fullmatch(pattern, f"{name}-xxxxx")
    assert not re.fullmatch(pattern, f"{name}-y-xxxxx")
    for other in {name.replace(".", "X"), name.replace("-", "X")} - {name}:
        assert not re.fullmatch(pattern, f"{other}-xxxxx")


@pytest.mark.parametrize("quote", ['"', "'", "`"])
def test_a_value_cannot_leave_its_quotes(quote: str) -> None:
    text = f"a{{b={quote}{{function_name}}{quote}}}"
    filled = Query("cpu_usage_function", text).filled({"function_name": "x\"'\\ or vector(1)\n"})
    assert filled.count("\n") == (quote == "`")
    assert len(re.findall(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`""", filled)) == 1


def test_a_regular_expression_of_the_user_is_not_escaped() -> None:
    query = Query("power_usage_function", 'a{cmdline=~"{pid_regex}"}')
    assert query.filled({"pid_regex": r"python .*\.py"}) == r'a{cmdline=~"python .*\\.py"}'


def test_the_time_span_and_what_is_read_over_it() -> None:
    text = 'rate(a{b=~"x{5}[0-9]"}[{time_span}]) / avg_over_time(c[{time_span}]) + rate(a{b=~"x{5}[0-9]"}[{time_span}])'
    assert range_selectors(text) == ['a{b=~"x{5}[0-9]"}', "c"]
    assert span("c[{time_span}]", 3.9996) == "c[4000ms]"
