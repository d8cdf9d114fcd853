"""The family of errors that a user of peva-env can meet.

Each message is one sentence that names what was wrong, where, and what would be right: the command line prints it as it
stands, without a traceback.
"""


class PevaError(Exception):
    """Base of every error that peva-env raises on purpose.

    Attributes:
        is_temporary: whether the same may succeed later without another configuration: something did not answer in
            time, or had no room for a request.
    """

    def __init__(self, *args: object, is_temporary: bool = False) -> None:
        super().__init__(*args)
        self.is_temporary = is_temporary


class ConfigError(PevaError, ValueError):
    """A configuration file or value that cannot be used."""


class UnknownArgumentError(ConfigError, TypeError):
    """An unknown keyword argument, which is a ``TypeError`` everywhere in Python: libraries try one and catch that."""


class PlatformError(PevaError):
    """The node under test cannot be started, reached or measured."""


class PlatformLoadError(PlatformError, ConfigError):
    """A platform of the user's own cannot be loaded, or cannot be made of the configuration that names it."""


class MetricsError(PlatformError):
    """The metrics service of the node cannot be reached, or its answer is malformed."""


class LoadGeneratorError(PevaError):
    """k6 is missing, or a k6 run measured nothing."""


class InvalidRunError(PevaError):
    """All runs of a configuration, retries included, were INVALID."""


class CanaryError(PevaError):
    """The canary stayed overloaded: the node has turned bad."""


class MemoryStoreError(PevaError):
    """The memory cannot be opened, read or written."""


class MemoryPathError(MemoryStoreError, ConfigError):
    """Something else than a memory stands at the path where one is to be written, or its name cannot be one's."""


class SchemaMismatchError(MemoryStoreError, ValueError):
    """The memory has another schema: label, tables, columns and types must match exactly."""


class PolicyError(PevaError):
    """A policy cannot be loaded, raised an exception, or chose a configuration that is not a candidate."""


class PolicyLoadError(PolicyError, ConfigError):
    """A policy or a model cannot be loaded from what the command line or the configuration names."""
