"""An OpenFaaS gateway: its functions, its credentials, and how the readiness of a function is found out."""

from peva_env.platforms.openfaas.credentials import read_credentials, trust
from peva_env.platforms.openfaas.deployed_function import DeployedFunction
from peva_env.platforms.openfaas.gateway import Gateway
from peva_env.platforms.openfaas.node import OpenFaasNode

__all__ = [
    "DeployedFunction",
    "Gateway",
    "OpenFaasNode",
    "read_credentials",
    "trust",
]
