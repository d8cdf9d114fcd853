"""The family of errors that a user of peva-env can meet.

Each message is one sentence that names what was wrong, where, and what would be right: the command line prints it as it
stands, without a traceback.
"""


class PevaError(Exception):
    """Base of every error that peva-env raises on purpose."""


class ConfigError(PevaError, ValueError):
    """A configuration file or value that cannot be used."""


class UnknownArgumentError(ConfigError, TypeError):
    """An argument that there is not. What tries ``render_mode`` first, as SB3 does, waits for a ``TypeError``."""


class PlatformError(PevaError):
    """The node under test cannot be started, reached or measured."""


class MetricsError(PlatformError):
    """What measures the node cannot be reached, or does not answer as it should."""


class LoadGeneratorError(PevaError):
    """A k6 that is missing, or a k6 run that measured nothing."""


class InvalidRunError(PevaError):
    """A configuration whose runs stayed INVALID after every retry."""


class MemoryStoreError(PevaError):
    """The memory cannot be opened, read or written."""


class SchemaMismatchError(MemoryStoreError, ValueError):
    """A memory of another schema: label, tables, columns and types must match exactly."""


class PolicyError(PevaError):
    """A policy that cannot be loaded, raised, or chose what it was not offered."""
