"""How many requests per second generators bear together."""

import pytest

from peva_env.sources.k6 import Generators, LocalPlace, borne_rps
from tests.support.k6 import running_k6

pytestmark = pytest.mark.live


def test_two_generators_bear_what_one_machine_bears() -> None:
    generators = Generators(LocalPlace(2))
    borne = borne_rps(generators)
    generators.close()
    assert 200 <= borne < 100_000
    assert not running_k6()
