"""Processes that are there within 20 ms, to be killed: forked from one that has imported everything."""

from multiprocessing import get_context

PROCESSES = get_context("forkserver")
# There is one such server for all tests, and only what is named before it starts is imported by it.
PROCESSES.set_forkserver_preload(["tests.test_crash", "tests.test_faults_killed"])
