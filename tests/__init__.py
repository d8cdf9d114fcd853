"""The tests; each of their processes computes with one thread, because they keep all cores busy side by side."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy or PyTorch are imported
