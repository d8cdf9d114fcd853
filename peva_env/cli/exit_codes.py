"""The exit codes of commands that run campaigns."""

from peva_env.contracts import EndStatus

EXIT_CODES = {
    EndStatus.COMPLETE: 0,
    EndStatus.STOPPED: 0,
    EndStatus.BUDGET: 3,
    EndStatus.INTERRUPTED: 130,
    EndStatus.FAILED: 1,
}
