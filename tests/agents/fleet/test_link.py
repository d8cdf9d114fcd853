"""The leave of a node to run, which comes from other threads than the one of its campaign."""

import threading

from peva_agents.fleet.link import DriverLink
from tests.support.processes import wait_until


def test_leave_that_was_given_before_the_driver_knew_that_a_node_is_put_aside_is_no_leave_to_try_again() -> None:
    link = DriverLink()
    link.grant(1)
    link.wait_for_leave()
    link.use_leave("f 10 rps")
    aside = threading.Thread(target=link.put_aside, args=["f 10 rps: measured nothing"], daemon=True)
    aside.start()
    assert wait_until(lambda: link.state.detail == "f 10 rps: measured nothing")
    link.grant(2)  # for the next run, on its way while the node was put aside
    aside.join(0.2)
    assert aside.is_alive()
    link.grant(link.state.n_asked)
    aside.join(60)
    assert not aside.is_alive()
