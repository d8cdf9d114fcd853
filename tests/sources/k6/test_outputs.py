"""What a user sets of k6 beyond the load: what is refused, by whom, and where a run's files go."""

import json
import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from peva_env.campaign import run_checks
from peva_env.campaign.factories import make_platform, measurement_context
from peva_env.config import parse_config
from peva_env.errors import ConfigError, LoadGeneratorError
from peva_env.sources.k6 import K6, find_k6
from peva_env.sources.k6.log import LOGGER
from peva_env.sources.k6.outputs import PROMETHEUS_DEFAULTS, run_outputs
from peva_env.sources.k6.settings import K6Settings, k6_settings
from tests.support.k6 import LOAD, fake_k6, run_fake


def problem_of(**data: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(data)
    return str(caught.value)


# What the configuration refuses


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"k6_env": {"K6_DURATION": "9s"}}, "k6_env.K6_DURATION: is not passed to k6: functions"),
        ({"k6_env": {"K6_RPS": 5}}, "k6_env.K6_RPS: is not passed to k6: functions"),
        ({"k6_env": {"K6_NO_SUMMARY": True}}, "k6_env.K6_NO_SUMMARY: is not passed to k6: it would change"),
        ({"k6_env": {"K6_OUT": "json"}}, "name outputs in k6_outputs"),
        ({"k6_env": {"K6_WEB_DASHBOARD": True}}, "use k6_dashboard"),
        ({"k6_env": {"HTTP_PROXY": "x"}}, "allowed variables: K6_CLOUD_*, K6_CSV_*"),
        ({"k6_env": {"K6_CLOUD_TOKEN": "t"}}, "k6_env.K6_CLOUD_TOKEN: may be a secret; set it in the environment"),
        ({"k6_env": {"K6_OTEL_HEADERS": "Authorization=Bearer t"}}, "k6_env.K6_OTEL_HEADERS: may be a secret"),
        ({"k6_env": {"K6_PROMETHEUS_RW_HEADERS_AUTHORIZATION": "pw"}}, "_AUTHORIZATION: may be a secret"),
        ({"k6_env": {"K6_PROMETHEUS_RW_SERVER_URL": "http://u:pw@h/"}}, "holds a password; put it"),
        ({"k6_env_from": ["K6_VUS"]}, "k6_env_from: K6_VUS: is not passed to k6"),
        ({"k6_env": {"K6_OTEL_HEADERS": "a=b"}, "k6_env_from": ["K6_OTEL_HEADERS"]}, "is in k6_env, too"),
        ({"k6_options": {"scenarios": {}}}, "k6_options.scenarios: is not passed to k6: functions"),
        ({"k6_options": {"thresholds": {}}}, "it would change k6's summary, from which"),
        ({"k6_options": {"discardResponseBodies": False}}, "the load script sets it"),
        ({"k6_options": {"tags": {}}}, "use k6_tags"),
        ({"k6_options": {"insecureSkipTlsVerify": True}}, "did you mean 'insecureSkipTLSVerify'?"),
        ({"k6_options": {"batch": 1}}, "allowed options: blacklistIPs, "),
        ({"k6_options": {"userAgent": date(2026, 1, 1)}}, "k6_options.userAgent"),
        ({"k6_tags": {"function": "x"}}, "k6_tags.function: peva-env or k6 sets this tag"),
        ({"k6_outputs": ["influxdb=http://u:pw@h/db"]}, "k6_outputs[0]: holds a password"),
        ({"k6_outputs": ["json", "json=a.json"]}, "there is another json output"),
        ({"k6_outputs": ["csv=fileName=a.csv"]}, "must be csv=FILE"),
        ({"k6_outputs": ["json=-"]}, "must be a file"),
    ],
)  # fmt: skip
def test_what_would_spoil_a_measurement_or_show_a_secret_is_refused_by_name(data: dict[str, Any], said: str) -> None:
    problem = problem_of(**data)
    assert said in problem
    assert "pw" not in problem


def test_variables_may_be_written_as_yaml_writes_them() -> None:
    config = parse_config({"k6_env": {"K6_OTEL_GRPC_EXPORTER_INSECURE": True, "K6_CLOUD_PROJECT_ID": 7}})
    assert config.k6_env == {"K6_OTEL_GRPC_EXPORTER_INSECURE": "true", "K6_CLOUD_PROJECT_ID": "7"}


def test_options_are_part_of_what_makes_measurements_comparable_and_outputs_are_not() -> None:
    def context(**data: Any) -> dict[str, Any]:
        config = parse_config(data)
        return measurement_context(config, make_platform(config), "1.1.0")

    plain = context()
    assert context(early_abort=True) == plain | {"early_abort": True}
    assert context(stop_early="sequential") == plain | {"stop_early": "sequential"}
    assert context(early_abort=False, repeats="adaptive", dominance="two_sided", iterations=1) == plain
    assert context(k6_options={"noConnectionReuse": True}) == plain | {"k6_options": {"noConnectionReuse": True}}
    assert context(generators=2) == plain | {"generators": 2}
    assert context(generators=1, ray="auto") == plain
    settings = {"k6_outputs": ["json"], "k6_tags": {"a": "b"}, "k6_options": {"cloud": {"projectID": 1}}}
    assert context(**settings, k6_log=True, k6_dashboard=True) == plain


# Secrets


def test_a_secret_comes_from_the_environment_and_reaches_k6_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K6_CLOUD_TOKEN", "planted-secret")
    monkeypatch.setenv("K6_CLOUD_HOST", "not asked for")
    config = parse_config({"k6_env_from": ["K6_CLOUD_TOKEN"], "k6_env": {"K6_OTEL_SERVICE_NAME": "x"}})
    settings = k6_settings(config)
    assert "planted-secret" not in repr(settings) + config.model_dump_json()
    script = f"""case "$*" in *peva-none*) echo "'peva-none'" >&2; exit 255;; esac
        env > {tmp_path}/env
        printf '%s\\n' '{{"level":"error","msg":"who is planted-secret?"}}' > "$log"; exit 255"""
    with pytest.raises(LoadGeneratorError, match=r"who is <K6_CLOUD_TOKEN>\?$"):
        K6(fake_k6(tmp_path, script), timeout_s=0.1, settings=settings).run([LOAD], duration_s=0.1)
    environment = (tmp_path / "env").read_text().splitlines()
    assert "K6_CLOUD_TOKEN=planted-secret" in environment
    assert "K6_OTEL_SERVICE_NAME=x" in environment
    assert not [line for line in environment if line.startswith("K6_CLOUD_HOST")]


def test_the_query_string_of_an_address_is_not_shown(tmp_path: Path) -> None:
    line = {"level": "error", "msg": "Request Failed", "error": 'Get "http://h/a?key=planted\\"-key": EOF'}
    script = f"cat > \"$log\" <<'END'\n{json.dumps(line)}\nEND\nexit 255"
    with pytest.raises(LoadGeneratorError, match=r'Get "http://h/a\?\.\.\.": EOF$') as caught:
        run_fake(tmp_path, script)
    assert "planted" not in str(caught.value)


def test_a_secret_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K6_CLOUD_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="k6_env_from: K6_CLOUD_TOKEN is not set in the environment"):
        k6_settings(parse_config({"k6_env_from": ["K6_CLOUD_TOKEN"]}))


# What k6 refuses, before anything runs


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (K6Settings(outputs=["nowhere"]), "invalid output type 'nowhere', available types are: cloud, csv"),
        (K6Settings(outputs=["json", "nowhere=x"]), "invalid output type 'nowhere'"),
        (
            K6Settings(outputs=["experimental-prometheus-rw"], env={"K6_PROMETHEUS_RW_PUSH_INTERVAL": "soon"}),
            "could not create the 'experimental-prometheus-rw' output",
        ),
        (
            K6Settings(
                outputs=["experimental-opentelemetry"],
                env={"K6_OTEL_SERVICE_NAME": "x"},
                secrets={"K6_OTEL_EXPORTER_TYPE": "smoke"},
            ),
            'unsupported exporter type "<K6_OTEL_EXPORTER_TYPE>"',
        ),
        (K6Settings(options={"insecureSkipTLSVerify": "maybe"}), "cannot unmarshal string"),
        (K6Settings(options={"dns": {"ttl": "1x"}}), "invalid DNS TTL: 1x"),
    ],
)
def test_what_k6_does_not_take_is_found_before_the_first_run(
    settings: K6Settings, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        K6(find_k6(), timeout_s=1, settings=settings)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "settings",
    [
        K6Settings(outputs=["json=a/b.json", "csv", "cloud", "experimental-prometheus-rw"]),
        K6Settings(outputs=["experimental-opentelemetry"], env={"K6_OTEL_EXPORTER_TYPE": "http"}),
        K6Settings(options={"hosts": {"f.local": "127.0.0.1"}, "blockHostnames": ["*.invalid"]}),
        K6Settings(tags={"a": "b"}, dashboard=True, log=True),
    ],
    ids=["outputs", "environment", "options", "others"],
)  # fmt: skip
def test_what_k6_takes_is_taken_without_a_trace(
    settings: K6Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    K6(find_k6(), timeout_s=1, settings=settings)
    assert not list(tmp_path.iterdir())


def test_the_doctor_finds_a_bad_output() -> None:
    check = next(run_checks(parse_config({"k6_outputs": ["nowhere"]})))
    assert (check.name, check.passed) == ("k6", False)
    assert "invalid output type 'nowhere'" in check.detail


# Where a run's files go


def test_every_run_has_files_of_its_own() -> None:
    outputs = run_outputs(["json", "csv=s/all.csv.gz"], name="r-c-0", folder=Path("out/k6"), dashboard_s=30)
    assert [str(file) for file in outputs.files] == ["out/k6/r-c-0.json", "s/all-r-c-0.csv.gz", "out/k6/r-c-0.html"]
    assert outputs.arguments == ("--out", "json=out/k6/r-c-0.json", "--out", "csv")
    assert outputs.env["K6_CSV_FILENAME"] == "s/all-r-c-0.csv.gz"
    assert outputs.env["K6_WEB_DASHBOARD_EXPORT"] == "out/k6/r-c-0.html"


@pytest.mark.parametrize(("duration_s", "period"), [(1, "250ms"), (30, "1000ms"), (900, "10000ms")])
def test_a_dashboard_has_several_periods_of_every_run(duration_s: float, period: str) -> None:
    outputs = run_outputs([], name="r", folder=Path(), dashboard_s=duration_s)
    assert outputs.env["K6_WEB_DASHBOARD_PERIOD"] == period


def test_remote_write_is_set_up_for_short_runs_unless_it_is_set_otherwise(tmp_path: Path) -> None:
    assert run_outputs(["experimental-prometheus-rw"], name="r", folder=Path()).env == PROMETHEUS_DEFAULTS
    script = f"""case "$*" in *peva-none*) echo "'peva-none'" >&2; exit 255;; esac; env > {tmp_path}/env"""
    settings = K6Settings(outputs=["experimental-prometheus-rw"], env={"K6_PROMETHEUS_RW_PUSH_INTERVAL": "9s"})
    with pytest.raises(LoadGeneratorError, match="no summary"):
        K6(fake_k6(tmp_path, script), timeout_s=0.1, settings=settings).run([LOAD], duration_s=0.1)
    environment = (tmp_path / "env").read_text().splitlines()
    assert "K6_PROMETHEUS_RW_PUSH_INTERVAL=9s" in environment
    assert "K6_PROMETHEUS_RW_STALE_MARKERS=true" in environment


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    k6 = K6(fake_k6(tmp_path), timeout_s=0.1, settings=K6Settings(folder=tmp_path / "file" / "k6", dashboard=True))
    with pytest.raises(LoadGeneratorError, match=r"file/k6 cannot be made for k6's files: Not a directory"):
        k6.run([LOAD], duration_s=0.1)


# What k6 says


def test_warnings_do_not_hide_the_error(tmp_path: Path) -> None:
    lines = """{"level":"warning","msg":"slow"}\\n{"level":"error","msg":"broken"}"""
    with pytest.raises(LoadGeneratorError, match=r"broken$"):
        run_fake(tmp_path, f"""printf '%b\\n' '{lines}' >&2; exit 107""")


class Listener(logging.Handler):
    """Tells a waiting script that it was heard."""

    def __init__(self, sign: Path) -> None:
        super().__init__()
        self.sign = sign
        self.said: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append((record.levelno, record.getMessage()))
        self.sign.touch()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(tmp_path / "heard")
    LOGGER.addHandler(listener)
    yield listener
    LOGGER.removeHandler(listener)


def test_what_k6_says_is_heard_while_it_runs_and_does_not_flood(tmp_path: Path, listener: Listener) -> None:
    script = r"""
    say() { printf '{"level":"%s","msg":"Request Failed","error":"%s"}\n' "$1" "$2" >&2; }
    say info 'not of interest'
    say warning 'port 1: planted-secret'
    until [ -e "$(dirname "$0")/heard" ]; do sleep 0.01; done
    for port in 2 3 4 5; do say warning "port $port: planted-secret"; done
    say error 'esc \u001b[2J'
    exit 107"""
    settings = K6Settings(log=True, secrets={"K6_CLOUD_TOKEN": "planted-secret"})
    binary = fake_k6(tmp_path, f"""case "$*" in *peva-none*) echo "'peva-none'" >&2; exit 255;; esac\n{script}""")
    with pytest.raises(LoadGeneratorError, match=r"exit code 107 .*: Request Failed: esc \[2J$"):
        K6(binary, timeout_s=0.1, settings=settings).run([LOAD], duration_s=0.1)
    assert listener.said == [
        (logging.WARNING, "k6: Request Failed: port 1: <K6_CLOUD_TOKEN>"),
        (logging.ERROR, "k6: Request Failed: esc [2J"),
        (logging.WARNING, "k6: 4 more lines like these in this run"),
    ]


def test_what_k6_says_is_kept_to_itself_unless_it_is_asked_for(tmp_path: Path, listener: Listener) -> None:
    with pytest.raises(LoadGeneratorError, match="no summary"):
        run_fake(tmp_path, """echo '{"level":"warning","msg":"x"}' >&2""")
    assert not listener.said
