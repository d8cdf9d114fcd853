"""Services by their addresses, without a configuration."""

from pathlib import Path

import pytest

from peva_env.cli.services import asked_settings
from peva_env.config import AutoRates
from peva_env.errors import ConfigError


def names(*urls: str) -> list[str]:
    return [function.name for function in asked_settings(None, urls).functions]


def test_addresses_are_a_whole_configuration() -> None:
    settings = asked_settings(None, ["http://127.0.0.1:8000/a", "http://127.0.0.1:8000/b"])
    assert (settings.platform, settings.needs_scouting) == ("http", True)
    assert settings.rate_strategy == AutoRates(type="auto")
    assert [(one.name, one.url) for one in settings.functions] == [
        ("a", "http://127.0.0.1:8000/a"), ("b", "http://127.0.0.1:8000/b")
    ]  # fmt: skip
    assert settings.combinations.max_functions == 3
    assert asked_settings(None, ["http://127.0.0.1:8000/"]).combinations.max_functions == 2


def test_services_are_named_after_their_paths_and_each_name_is_unique() -> None:
    assert names("http://h/x/report/", "http://h/y/report?key=1", "http://h/z/report") == [
        "report", "report-2", "report-3"
    ]  # fmt: skip
    assert names("http://127.0.0.1:8000/", "https://h") == ["127-0-0-1-8000", "h"]
    assert names("http://h/%C3%A9.php", "http://h/..") == ["C3-A9-php", "service"]


def test_names_that_look_numbered_do_not_collide() -> None:
    found = names("http://h/a-2", "http://h/a", "http://h/a", "http://h/b-x", "http://h/b")
    assert len(set(found)) == 5


def test_an_address_that_cannot_be_used_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"--url: functions\[0\].url = 'ftp://h': must be an http:// or https://"):
        asked_settings(None, ["ftp://h"])
    with pytest.raises(ConfigError, match=r"--url: functions\[0\].url = 'http://\[::1': .*IPv6"):
        asked_settings(None, ["http://[::1"])
    with pytest.raises(ConfigError, match=r"--url http://h/a: give addresses or --config peva.yml, not both"):
        asked_settings(Path("peva.yml"), ["http://h/a?key=secret"])
