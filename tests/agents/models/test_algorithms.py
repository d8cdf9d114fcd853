"""PyTorch is imported as a whole, or not at all."""

import sys
from pathlib import Path

import pytest

from peva_agents.models import one_thread

_INTERRUPTED_TORCH = """
import os, signal

os.kill(os.getpid(), signal.SIGINT)
is_imported = True


def set_num_threads(n):
    pass
"""


def test_an_interrupt_waits_until_pytorch_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text(_INTERRUPTED_TORCH)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", sys)  # for the module that was there to come back
    monkeypatch.delitem(sys.modules, "torch")
    with pytest.raises(KeyboardInterrupt):
        one_thread()
    assert sys.modules["torch"].is_imported
