"""The contracts as tests: subclass a suite, override ``make``, and pytest runs the whole of it.

For an agent, ledger, memory, platform, policy, source or world of your own, in a test file (pytest collects classes
whose names begin with ``Test``)::

    from peva_env.testing import PolicyContract

    class TestMyPolicy(PolicyContract):
        def make(self):
            return MyPolicy()

Put ``pytest.register_assert_rewrite("peva_env.testing")`` into ``conftest.py`` to see the values of an assertion that
fails. Importing this package does not import pytest. Each suite's module says what the suite leaves unchecked.
"""

from peva_env.testing.agent import AgentContract
from peva_env.testing.ledger import LedgerContract
from peva_env.testing.memory import MemoryContract
from peva_env.testing.platform import PlatformContract
from peva_env.testing.policy import PolicyContract
from peva_env.testing.source import SourceContract
from peva_env.testing.world import WorldContract

__all__ = [
    "AgentContract",
    "LedgerContract",
    "MemoryContract",
    "PlatformContract",
    "PolicyContract",
    "SourceContract",
    "WorldContract",
]
