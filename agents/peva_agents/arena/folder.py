"""The folder of an arena: its settings and a record of each episode. A stopped arena resumes from it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from peva_agents.arena.episode import EpisodeRecord
from peva_env.config.offline import ArenaConfig
from peva_env.errors import ConfigError, PevaError
from peva_env.system import output_folder, write_text

_CONFIG = "arena.json"
_CODE = "entrants.json"
_RESULTS = "results.jsonl"


class ArenaFolder:
    """The folder of an arena.

    Args:
        path: the folder.
        config: the settings of the arena.
        code: a digest of each agent's code or model, by the name of the agent.

    Raises:
        ConfigError: the folder holds something else, another arena, or episodes of an agent whose code has changed
            since; or it cannot be written to, or a file in it was not written by an arena.
    """

    def __init__(self, path: Path, config: ArenaConfig, code: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._results = path / _RESULTS
        try:
            output_folder("--out", path, what="arena", mark=_CONFIG)
            path.mkdir(parents=True, exist_ok=True)
            if (path / _CONFIG).exists():
                self._require_same(config.described())
                self._require_same_code(code or {})
            else:
                write_text(path / _CONFIG, json.dumps(config.described(), indent=2))
            write_text(path / _CODE, json.dumps(code or {}, indent=2))
            self.records = list(self._read())
        except OSError as error:
            raise PevaError(f"{path}: cannot be used as --out: {error.strerror}") from error

    def add(self, record: EpisodeRecord) -> None:
        """Append the record of an episode."""
        with self._results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        self.records.append(record)

    def write(self, name: str, text: str) -> None:
        """Write a file aside and rename it, so that it is always whole."""
        write_text(self.path / name, text)

    def _require_same(self, asked: dict[str, Any]) -> None:
        stored = self._stored(_CONFIG)
        for name, now in asked.items():
            if stored.get(name) != now:
                raise ConfigError(
                    f"{self.path} holds an arena with {name} = {stored.get(name)!r}, not {now!r}; "
                    "go on with that one, or give another --out"
                )

    def _require_same_code(self, code: Mapping[str, str]) -> None:
        stored = self._stored(_CODE) if (self.path / _CODE).exists() else {}
        changed = next((name for name, digest in code.items() if stored.get(name, digest) != digest), None)
        if changed:
            raise ConfigError(f"{self.path} holds episodes of {changed} as it was before a change; give another --out")

    def _stored(self, name: str) -> dict[str, Any]:
        try:
            return dict(json.loads((self.path / name).read_text(encoding="utf-8")))
        except (ValueError, TypeError, RecursionError) as error:
            raise ConfigError(f"{self.path / name}: is not what peva-env arena wrote: {error}") from error

    def _read(self) -> Iterator[EpisodeRecord]:
        if not self._results.exists():
            return
        whole = self._drop_torn(self._results.read_bytes())
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                yield EpisodeRecord(**json.loads(line))
            except (ValueError, TypeError, RecursionError) as error:
                raise ConfigError(f"{self._results}, line {number}: is no episode of peva-env arena") from error

    def _drop_torn(self, written: bytes) -> bytes:
        """Cut off a last line that a kill left incomplete; its episode is played again."""
        whole = written[: written.rfind(b"\n") + 1]
        if len(whole) < len(written):
            with self._results.open("r+b") as file:
                file.truncate(len(whole))
        return whole
