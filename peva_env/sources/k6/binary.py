"""Finding k6, checking its version, and the environment in which it measures correctly."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from peva_env.errors import LoadGeneratorError
from peva_env.system import install_text, processes

MIN_VERSION = (0, 57)
_COMMAND_TIMEOUT_S = 20.0
_VERSION = re.compile(r"^.+ v((\d+)\.(\d+)\.(\d+)(?:-[0-9A-Za-z.-]+)?)(?:\+\S*)?(?: \(|$)", re.MULTILINE)
"""k6 prints the name of its own file, whatever that is, then its version: ``k6-2.2.0 v2.2.1-0.20261104 (go1.25)``."""
_PROXIES = frozenset({"ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"})


def find_k6(configured: str | None = None) -> Path:
    """Return the k6 to use: the configured one, ``PEVA_ENV_K6``, the one on the PATH, or that of the ``local`` extra.

    Raises:
        LoadGeneratorError: there is no k6, or the configured path is not an executable.
    """
    for setting, value in (("k6_path", configured), ("PEVA_ENV_K6", os.environ.get("PEVA_ENV_K6"))):
        if value:
            return _executable(value, setting)
    on_path = shutil.which("k6")
    found = Path(on_path) if on_path else _packaged_k6()
    if found is None:
        raise LoadGeneratorError(
            f"k6 was not found: {install_text('local')} installs it; or install it as described on "
            "https://grafana.com/docs/k6/latest/set-up/install-k6/, or name the binary in k6_path or PEVA_ENV_K6"
        )
    return found.absolute()


def k6_version(binary: Path, *, limit_s: float = _COMMAND_TIMEOUT_S) -> str:
    """Return the version of a k6 binary, for example ``1.1.0`` or ``2.3.0-rc1``.

    Raises:
        LoadGeneratorError: the binary cannot be run, does not end within ``limit_s``, prints no version, or is older
            than ``MIN_VERSION``.
    """
    output = k6_output(binary, ["version"], limit_s=limit_s)
    match = _VERSION.search(output)
    if not match:
        printed = " ".join(output.split())
        raise LoadGeneratorError(f"{binary} is not a usable k6: '{binary.name} version' printed {printed!r:.200}")
    version, *numbers = match.groups()
    if tuple(map(int, numbers)) < MIN_VERSION:
        needed = ".".join(map(str, MIN_VERSION))
        raise LoadGeneratorError(f"{binary} is k6 {version}, but {needed} or newer is needed")
    return version


def k6_output(
    binary: Path,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    limit_s: float = _COMMAND_TIMEOUT_S,
) -> str:
    """Run a short command of k6 and return its output on both streams; the exit code is ignored.

    Raises:
        LoadGeneratorError: the binary cannot be run, or does not end within ``limit_s``.
    """
    # Output goes to a file: with a pipe, a child process that the binary leaves behind could block us forever.
    with tempfile.TemporaryFile() as output:
        try:
            process = processes.start(
                [binary, *arguments], env=k6_environment() | dict(env or {}), stdout=output, stderr=output
            )
        except OSError as error:
            raise LoadGeneratorError(f"{binary} cannot be run: {error.strerror}") from error
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired as error:
            command = f"'{binary.name} {arguments[0]}' took more than {limit_s:g} s"
            raise LoadGeneratorError(f"{binary} is not a usable k6: {command}", is_temporary=True) from error
        finally:
            processes.stop(process)
        output.seek(0)
        return output.read().decode(errors="replace")


def k6_environment(ca_file: Path | None = None) -> dict[str, str]:
    """Return the environment for k6: that of this process, without the variables that change a measurement.

    With ``ca_file`` k6 also trusts that certificate. This works on Linux, where Go programs read it from SSL_CERT_FILE;
    on macOS they trust the keychain only.

    ``K6_`` variables are removed because they can override the plan (``K6_DURATION``, ``K6_RPS``, ``K6_NO_SUMMARY``),
    and proxy variables because the proxy would be measured instead of the node. Two variables are added: one keeps the
    summary in the format that k6 has had since 0.30, the other keeps newer versions from downloading and running
    another k6.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("K6_") and name.upper() not in _PROXIES
    }
    trusted = {"SSL_CERT_FILE": str(ca_file.absolute())} if ca_file else {}
    own = {"K6_NEW_MACHINE_READABLE_SUMMARY": "false", "K6_AUTO_EXTENSION_RESOLUTION": "false"}
    return kept | trusted | own


def _executable(value: str, setting: str) -> Path:
    # With a slash it is a path: `./k6` must not find another k6 on the PATH.
    found = shutil.which(Path(value).expanduser().absolute() if "/" in value else value)
    if found is None:
        raise LoadGeneratorError(f"{setting} = {value!r}: is not an executable file")
    return Path(found).absolute()


def _packaged_k6() -> Path | None:
    beside_python = shutil.which(Path(sys.executable).with_name("k6"))
    if beside_python:
        return Path(beside_python)
    try:
        files = importlib.metadata.distribution("k6").files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    located = (Path(str(file.locate())) for file in files if file.name == "k6")
    return next((path for path in located if shutil.which(path)), None)
