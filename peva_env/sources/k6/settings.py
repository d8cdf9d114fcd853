"""The user's settings of k6 besides the load, and the check that k6 accepts them."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peva_env.config import FILE_OUTPUTS, DfaasConfig
from peva_env.errors import ConfigError
from peva_env.sources.k6.binary import k6_output
from peva_env.sources.k6.log import first_error
from peva_env.sources.k6.outputs import run_outputs
from peva_env.system import processes

_OTEL_TYPE, _OTEL_PROTOCOL = "K6_OTEL_EXPORTER_TYPE", "K6_OTEL_EXPORTER_PROTOCOL"
_WITHOUT_OTEL_TYPE = 2
"""The major version of k6 since which the first variable has no meaning; the second has none before."""

_NO_OUTPUT = "peva-none"
_EMPTY_SCRIPT = "export default function () {}\n"


@dataclass(frozen=True, slots=True)
class K6Settings:
    """Outputs, tags and options of k6; none by default.

    Args:
        outputs: outputs of samples, as for k6's ``--out``. A file output (``csv``, ``json``) writes one file per run.
        tags: tags of every sample.
        env: environment variables that configure the outputs.
        secrets: secret environment variables; their values are replaced by their names in k6's messages.
        options: options that are merged into k6's options; ``peva_env.config.k6`` lists the allowed options.
        folder: folder of dashboards and of file outputs without a name; created when it is needed.
        dashboard: whether k6 writes its HTML report of each run.
        ca_file: a certificate to trust besides the system's, for https addresses.
        log: whether k6's warnings and errors go to the logger ``peva_env.k6`` while it runs.
    """

    outputs: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path("k6")
    ca_file: Path | None = None
    dashboard: bool = False
    log: bool = False


def k6_settings(config: DfaasConfig) -> K6Settings:
    """Return the settings of k6 in a configuration, with the secrets from the environment.

    Raises:
        ConfigError: a variable that ``k6_env_from`` names is not set.
    """
    for name in config.k6_env_from:
        if not os.environ.get(name):
            raise ConfigError(f"k6_env_from: {name} is not set in the environment; export it, or leave it out")
    ca_file = config.ca_file
    return K6Settings(
        outputs=tuple(map(_at_this_folder, config.k6_outputs)),
        tags=config.k6_tags,
        env=config.k6_env,
        secrets={name: os.environ[name] for name in config.k6_env_from},
        options=config.k6_options,
        folder=Path(config.output_dir).absolute() / "k6",
        ca_file=Path(ca_file).expanduser().absolute() if ca_file else None,
        dashboard=config.k6_dashboard,
        log=config.k6_log,
    )


def _at_this_folder(output: str) -> str:
    """Return an output whose file stays the same where a policy changes the working folder."""
    kind, _, file = output.partition("=")
    return f"{kind}={Path(file).absolute()}" if kind in FILE_OUTPUTS and file else output


def require_accepted(binary: Path, version: str, settings: K6Settings) -> None:
    """Let k6 set up its outputs and options without running or sending anything.

    k6 sets up one output after the other, and only then starts them. The last output here does not exist, so that k6
    fails with an error about that output, unless another output or an option is wrong.

    Raises:
        ConfigError: k6 refuses an output, a variable or an option; with k6's error.
    """
    if not (settings.outputs or settings.env or settings.secrets or settings.options):
        return
    is_old = int(version.partition(".")[0]) < _WITHOUT_OTEL_TYPE
    ignored, needed, value = (
        (_OTEL_PROTOCOL, _OTEL_TYPE, "http") if is_old else (_OTEL_TYPE, _OTEL_PROTOCOL, "http/protobuf")
    )
    if ignored in settings.env and needed not in settings.env:
        raise ConfigError(
            f"k6_env.{ignored}: k6 {version} ignores it, and all samples would be lost; write {needed}: {value}"
        )
    with processes.temporary_folder("peva-k6-") as folder:
        script, options = folder / "script.js", folder / "options.json"
        script.write_text(_EMPTY_SCRIPT, encoding="utf-8")
        options.write_text(json.dumps(dict(settings.options)), encoding="utf-8")
        outputs = run_outputs([_without_file(output) for output in settings.outputs], name="probe", folder=folder)
        arguments = ["run", "--quiet", "--no-color", "--no-usage-report", "--address", "", "--config", str(options)]
        output = k6_output(
            binary,
            [*arguments, *outputs.arguments, "--out", _NO_OUTPUT, str(script)],
            env={**outputs.env, **settings.env, **settings.secrets},
        )
    problem = first_error(output.splitlines(), settings.secrets)
    if f"'{_NO_OUTPUT}'" not in problem:
        refused = re.sub(r"\S*/options\.json", "k6_options", problem) or "without an error message"
        raise ConfigError(f"k6 {version} refuses its outputs, environment or options: {refused}")


def _without_file(output: str) -> str:
    """Return a file output without its path, which k6 may create at once; the file goes to a temporary folder."""
    kind = output.partition("=")[0]
    return kind if kind in FILE_OUTPUTS else output
