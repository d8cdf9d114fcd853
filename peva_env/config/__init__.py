"""The configuration file of a campaign, validated, and a class for each of its sections.

What must always hold:

- A configuration that loads can be used: every key and value was checked, and paths are relative to its file.
- Each mistake is a ``ConfigError`` of one line that names the key, the value and the remedy. A value that may be a
  secret is never shown.
- A configuration holds no secret. It names the file or the environment variable that holds the secret.
"""

from peva_env.config.campaign import DfaasConfig
from peva_env.config.confidence import require_level
from peva_env.config.duration import duration_seconds
from peva_env.config.explain import explain_problem
from peva_env.config.function import ExpectConfig, FunctionConfig, require_function_name
from peva_env.config.k6 import FILE_OUTPUTS, GENERATOR_TAG
from peva_env.config.loading import load_config, parse_config, parse_config_beside, validated
from peva_env.config.overload import LATENCIES, FunctionLimits, FunctionOverloadConfig, OverloadConfig
from peva_env.config.percent import percent_share
from peva_env.config.platform import PLATFORM_GROUP, PLATFORMS
from peva_env.config.rates import AutoRates
from peva_env.config.reading import read_mapping
from peva_env.config.rule_changes import (
    AskedRules,
    RuleChanges,
    changed_rules,
    flat_rules,
    limit_text,
    merged_changes,
    read_rules,
    rule_changes,
)
from peva_env.config.secrets import Secret, read_secret, request_headers
from peva_env.config.section import LARGEST_COUNT, LONGEST_S, Section
from peva_env.config.sections import (
    CanaryConfig,
    CombinationConfig,
    CooldownConfig,
    GrafanaConfig,
    HttpConfig,
    MemoryConfig,
    OpenFaasConfig,
)
from peva_env.config.sendable import require_sendable

__all__ = [
    "FILE_OUTPUTS",
    "GENERATOR_TAG",
    "LARGEST_COUNT",
    "LATENCIES",
    "LONGEST_S",
    "PLATFORMS",
    "PLATFORM_GROUP",
    "AskedRules",
    "AutoRates",
    "CanaryConfig",
    "CombinationConfig",
    "CooldownConfig",
    "DfaasConfig",
    "ExpectConfig",
    "FunctionConfig",
    "FunctionLimits",
    "FunctionOverloadConfig",
    "GrafanaConfig",
    "HttpConfig",
    "MemoryConfig",
    "OpenFaasConfig",
    "OverloadConfig",
    "RuleChanges",
    "Secret",
    "Section",
    "changed_rules",
    "duration_seconds",
    "explain_problem",
    "flat_rules",
    "limit_text",
    "load_config",
    "merged_changes",
    "parse_config",
    "parse_config_beside",
    "percent_share",
    "read_mapping",
    "read_rules",
    "read_secret",
    "request_headers",
    "require_function_name",
    "require_level",
    "require_sendable",
    "rule_changes",
    "validated",
]
