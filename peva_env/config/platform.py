"""The key ``platform``, and what other keys must be for it."""

from collections.abc import Sequence
from importlib.metadata import entry_points

from peva_env.config.function import FunctionConfig
from peva_env.config.overload import RULES_ON_USE, OverloadConfig

PLATFORMS = ("local", "openfaas", "http")
"""The kinds of node that come with the package."""

PLATFORM_GROUP = "peva_env.platforms"
"""The entry-point group of platforms of other packages."""


def require_platform(platform: str) -> None:
    """Check that a platform is known, or names a class.

    Raises:
        ValueError: it does neither.
    """
    if platform in PLATFORMS or all(platform.partition(":")[::2]):
        return
    named = entry_points(group=PLATFORM_GROUP).names
    if platform in named:
        return
    known = ", ".join([*PLATFORMS, *sorted(named)])
    raise ValueError(f"must be one of {known}, or module:Class, for example my_nodes:MyPlatform")


def require_own_keys(functions: Sequence[FunctionConfig], platform: str) -> None:
    """Check that functions have an address where their platform needs one, and no keys of another platform.

    ``openfaas`` ignores the keys of the local node, as it always did.

    Raises:
        ValueError: a function lacks an address, or has a key that its platform does not use.
    """
    for i, function in enumerate(functions):
        if platform == "http" and function.url is None:
            raise ValueError(
                f"functions[{i}].url: platform http needs the address of {function.name!r}, "
                "for example http://127.0.0.1:8000/"
            )
        for key in ("source", "concurrency", "port") if platform == "http" else ():
            if getattr(function, key) is not None:
                raise ValueError(
                    f"functions[{i}].{key}: is for the local node, and platform http starts nothing; "
                    f"write `platform: local`, or leave {key} out"
                )
        for key in ("url", "revision_header") if platform in ("local", "openfaas") else ():
            if getattr(function, key) is not None:
                raise ValueError(
                    f"functions[{i}].{key}: platform {platform} has addresses of its own; "
                    f"write `platform: http`, or leave {key} out"
                )


def without_rules_on_use(overload: OverloadConfig) -> OverloadConfig:
    """Return rules without those on CPU and RAM, for a node that nothing measures.

    Raises:
        ValueError: one of these rules was asked for.
    """
    for key in RULES_ON_USE:
        if key in overload.model_fields_set and getattr(overload, key) is not None:
            raise ValueError(
                f"overload.{key}: nothing measures it on platform http; set prometheus_url, or leave the rule out"
            )
    return overload.without_use()
