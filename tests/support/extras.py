"""What only runs where an extra is installed."""

import importlib.util

import pytest

needs_sklearn = pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="needs the extra level-set")
