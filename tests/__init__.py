"""The tests; what each process of them needs before NumPy, PyTorch or Ray is imported, whichever file comes first."""

import os
import secrets

# One thread each, because they keep all cores busy side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Ray reads these when it is imported.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
