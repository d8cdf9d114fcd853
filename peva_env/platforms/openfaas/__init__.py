"""A node behind an OpenFaaS gateway: its functions, their readiness, and the gateway's credentials.

What must always hold:

- Nothing is deployed, scaled or removed; only a call can wake a function that was scaled to zero.
- The password is sent to the gateway's own API only.
"""

from peva_env.platforms.openfaas.credentials import read_credentials
from peva_env.platforms.openfaas.deployed_function import DeployedFunction
from peva_env.platforms.openfaas.gateway import Gateway
from peva_env.platforms.openfaas.node import OpenFaasNode

__all__ = [
    "DeployedFunction",
    "Gateway",
    "OpenFaasNode",
    "read_credentials",
]
