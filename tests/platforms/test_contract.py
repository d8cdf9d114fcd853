"""The platforms that come with the package meet the suite that third parties are given."""

import time
from collections.abc import Iterator

import pytest

pytest.importorskip("functions_framework")

from peva_env.config import FunctionConfig
from peva_env.platforms import NodeUsage, Platform, Usage
from peva_env.platforms.local import LocalNode
from peva_env.platforms.openfaas import DeployedFunction, Gateway, OpenFaasNode
from peva_env.testing import PlatformContract
from tests.support.gateway import Served, StandIn, serving


class TestLocalNode(PlatformContract):
    functions = ("fetch",)

    def make(self) -> Platform:
        return LocalNode([FunctionConfig(name=name) for name in self.functions])

    def make_broken(self) -> Platform:
        return LocalNode([FunctionConfig(name="fetch"), FunctionConfig(name="absent", source="absent.py:handle")])


class Idle:
    """Metrics of a node that is never busy; nothing is scraped."""

    min_window_s = 0.05

    def check(self, duration_s: float) -> tuple[str, ...]:
        return ()

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        time.sleep(max(0.0, end_at - time.time()))
        return NodeUsage(Usage(cpu_pct=1.0, ram_pct=30.0))

    def close(self) -> None: ...


class TestOpenFaasNode(PlatformContract):
    functions = ("figlet", "env.staging")

    @pytest.fixture(autouse=True)
    def _gateway(self) -> Iterator[None]:
        with serving(StandIn([Served("figlet"), Served("env", namespace="staging")])) as self.gateway:
            yield

    def make(self) -> Platform:
        return self.node(*self.functions)

    def make_broken(self) -> Platform:
        return self.node("figlet", "absent")

    def node(self, *names: str) -> OpenFaasNode:
        gateway = Gateway(self.gateway.url)
        functions = [
            DeployedFunction(FunctionConfig(name=name), gateway, namespace=None, timeout_s=5.0) for name in names
        ]
        return OpenFaasNode(functions, gateway=gateway, metrics=Idle(), duration_s=5.0)
