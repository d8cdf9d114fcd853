"""What a driver does with nodes that it has not heard of, without Ray."""

from pathlib import Path
from typing import Any

from peva_agents.fleet import FleetDriver, Phase, load_fleet
from peva_env.memory import DEFAULT_SCHEMA_VERSION, writing
from tests.agents.fleet.test_file import write


class SilentActor:
    """The handle of an actor that waits for a machine: nothing that is sent to it comes back."""

    def __getattr__(self, method: str) -> Any:
        return type("Method", (), {"remote": lambda *_: object()})


class SilentRay:
    """A Ray whose actors never have a machine."""

    def remote(self, _: type) -> Any:
        return type("Class", (), {"options": lambda **_: type("Options", (), {"remote": SilentActor})})

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 1.0}

    def wait(self, waiting: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        return [], waiting


def test_a_stop_does_not_wait_for_a_machine_that_does_not_come(tmp_path: Path) -> None:
    path = write(tmp_path, output_dir=str(tmp_path / "out"), nodes=[{"name": "a"}, {"name": "b"}], max_loaded=1)
    plan = load_fleet(path)
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, SilentRay(), store)
        driver.start()
        states = []

        def tell() -> None:
            states.append([state.phase for state in driver.states.values()])
            driver.stop()

        driver.run(tell)
    assert states == [[Phase.STARTING, Phase.WAITING]]
    assert {state.phase for state in driver.states.values()} == {Phase.INTERRUPTED}
