"""A node as a queueing model: its response to request rates, for many nodes side by side.

Notation: ``n`` nodes (or one node under ``n`` loads), ``F`` functions; arrays are (F, n) or (n,), and a single node is
(F, 1) or (1,), which broadcasts. Function ``f`` is offered ``r`` requests/s and has ``c`` slots. Each
request needs ``d`` s of CPU, and holds its slot for ``z`` s more. The node has ``C`` cores; the load generator has a
timeout of ``T`` s, and hence ``r T`` virtual users. ``rho`` is the share of the cores in use, ``b`` the share in use
without load.

    m_f        = min(c_f, r_f T)                             upper bound of its requests in flight
    x_f        = min(r_f, m_f / (d_f + z_f))                 upper bound of its admitted requests/s
    rho        = min(1, b + sum of x_f d_f / C)              share of the cores in use
    sigma(rho) = 1 + ErlangC(C, C rho) / (C (1 - rho))       stretch of a CPU phase against an idle node
    s          = min(sigma(rho), max(1, sum of m_f / C) / (1 - b))   with at most the admitted requests waiting
    h_f        = d_f s + z_f                                 time for which a request holds its slot
    a_f        = r_f h_f / m_f                               demand on its slots (or virtual users), 1 = all
    success_f  = 1 / (1 + a_f^16)^(1/16)                     = min(1, 1 / a_f), with its edge rounded

``sigma`` is the mean response of an M/M/C queue over its service time (Kleinrock, "Queueing Systems", vol. 1, 1975,
section 3.5; Harchol-Balter, "Performance Modeling and Design of Computer Systems", 2013, chapter 14). On one core it is
1 / (1 - rho), which processor sharing has for *any* distribution of the service time (Kleinrock, vol. 2, 1976, section
4.4; Harchol-Balter, chapter 30). Losing the share of requests for which slots are missing is the fluid
limit of a loss system: Kelly, "Loss networks", Annals of Applied Probability 1 (1991). With all cores taken and all
slots full, ``s`` is the stretch of sharing the cores evenly among the slots: the cores limit the throughput.

**Monotone.** Raise any rate: its ``m`` and ``x`` rise or stay; so do ``rho``, ``s``, every ``h`` and the memory in use;
and ``a_f = h_f max(r_f / c_f, 1 / T)`` rises, so every success falls. Whatever overloads a node, more load does too.

**The same bits alone and in a batch.** Only ``+ - * /``, ``sqrt`` and comparisons are used, all correctly rounded and
element by element, and functions are added in their order. So a row has the same bits alone, in a table of a space and
in a batch.
"""

from dataclasses import dataclass
from functools import cache, reduce
from typing import Self

import numpy as np
from numpy.typing import NDArray

from peva_env.sources.episodes import Indices

type Floats = NDArray[np.float64]

MAX_CORES = 128
OVERHEAD_S = 0.001
"""Time that server and connection add to each request, while it holds its slot: with it, 50 ms of waiting in 5 slots
serve 97 requests/s, as on the live local node, and not 100."""

_CELLS = 1024  # of the table of speeds, for each number of cores
_LEAST = 1e-12  # lower bound of a divisor

_LN_SHARE = {50: 0.6931471805599453, 90: 2.302585092994046, 95: 2.995732273553991, 99: 4.605170185988092}
"""``ln(1 / (1 - share))``: the percentiles of an exponential distribution with mean 1."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """Parameters of ``n`` nodes with ``F`` functions each: one array, so that one assignment replaces a node."""

    rows: Floats  # (3 + 5 F, n), in the order of the properties

    @classmethod
    def of(cls, *, cores: Floats, ram_bytes: Floats, idle: Floats | None = None, **of_functions: Floats) -> Self:
        """Return nodes by their parameters (n,), and by those of their functions (F, n), named as the properties."""
        names = ("cpu_s", "held_s", "slots", "base_bytes", "request_bytes")
        without_load = np.zeros_like(cores) if idle is None else idle
        return cls(np.vstack([cores, ram_bytes, without_load, *(of_functions[name] for name in names)]))

    @property
    def cores(self) -> Floats:
        """Whole numbers up to MAX_CORES, (n,)."""
        cores: Floats = self.rows[0]
        return cores

    @property
    def ram_bytes(self) -> Floats:
        """RAM of the node, (n,)."""
        ram_bytes: Floats = self.rows[1]
        return ram_bytes

    @property
    def idle(self) -> Floats:
        """Share of the cores that is in use without load, below 1, (n,)."""
        idle: Floats = self.rows[2]
        return idle

    @property
    def cpu_s(self) -> Floats:
        """CPU time of a request, (F, n)."""
        return self._of_functions(0)

    @property
    def held_s(self) -> Floats:
        """Time beyond CPU for which a request holds its slot, OVERHEAD_S included, (F, n)."""
        return self._of_functions(1)

    @property
    def slots(self) -> Floats:
        """Requests served at once, (F, n)."""
        return self._of_functions(2)

    @property
    def base_bytes(self) -> Floats:
        """Memory of a function without requests, (F, n)."""
        return self._of_functions(3)

    @property
    def request_bytes(self) -> Floats:
        """Memory of a request in flight, (F, n)."""
        return self._of_functions(4)

    def adopt(self, where: Indices, others: Self) -> None:
        """Replace the nodes at ``where`` (k,) by the nodes of ``others`` at the same positions."""
        self.rows[:, where] = others.rows.take(where, axis=1)

    def _of_functions(self, number: int) -> Floats:
        n_functions = (len(self.rows) - 3) // 5
        rows: Floats = self.rows[3 + number * n_functions :][:n_functions]
        return rows


@dataclass(frozen=True, slots=True)
class Served:
    """The response of nodes to a load."""

    busy: Floats  # (n,): share of the cores in use, rho
    memory: Floats  # (n,): share of the RAM in use, at most 1
    success: Floats  # (F, n): share of the offered requests that succeed; 1 where none is offered
    cpu_s: Floats  # (F, n): CPU time of a request, d
    held_s: Floats  # (F, n): the rest of a request's time on an idle node, z
    stretched_s: Floats  # (F, n): duration of a CPU phase, waiting for a core included, d s
    in_flight: Floats  # (F, n): requests that hold a slot

    @property
    def cores_taken(self) -> Floats:
        """The cores that each function uses, (F, n)."""
        return self.in_flight / (self.stretched_s + self.held_s) * self.cpu_s

    def mean_s(self, timeout_s: float) -> Floats:
        """Return the mean latency (F, n)."""
        return np.minimum(self.stretched_s + self.held_s, timeout_s)

    def percentile_s(self, percent: int, timeout_s: float) -> Floats:
        """Return the 50th, 90th, 95th or 99th percentile of latency (F, n), with exponential waiting times."""
        waiting_s = (self.stretched_s - self.cpu_s) * _LN_SHARE[percent]
        return np.minimum(self.cpu_s + self.held_s + waiting_s, timeout_s)


def serve(nodes: Nodes, rates_rps: Floats, slowness: Floats, timeout_s: float) -> Served:
    """Return the response of nodes to rates (F, n), with all times multiplied by ``slowness`` (n,)."""
    cpu_s = nodes.cpu_s * slowness
    held_s = nodes.held_s * slowness
    limit = np.minimum(nodes.slots, rates_rps * timeout_s)
    admitted_rps = np.minimum(rates_rps, limit / (cpu_s + held_s))
    busy = np.minimum(in_order(admitted_rps * cpu_s) / nodes.cores + nodes.idle, 1.0)
    crowd = np.maximum(in_order(limit), nodes.cores)
    stretch = np.minimum(1 / _speed(_first_cells(nodes.cores), busy), crowd / (nodes.cores * (1.0 - nodes.idle)))
    stretched_s = cpu_s * stretch
    asked = rates_rps * (stretched_s + held_s)
    in_flight = np.minimum(asked, limit)
    used_bytes = in_order(nodes.base_bytes + nodes.request_bytes * in_flight)
    return Served(
        busy=busy,
        memory=np.minimum(used_bytes / nodes.ram_bytes, 1.0),
        success=_admitted(asked, limit),
        cpu_s=cpu_s,
        held_s=held_s,
        stretched_s=stretched_s,
        in_flight=in_flight,
    )


def sigma(cores: Floats, busy: Floats) -> Floats:
    """Return the stretch of a CPU phase against an idle node; ``busy`` is the share of the cores in use."""
    stretch: Floats = 1 / _speed(_first_cells(cores), busy)
    return stretch


def in_order(values: Floats) -> Floats:
    """Return the sum (n,) over the functions of (F, n), added in their order."""
    total: Floats = reduce(np.add, values)
    return total


def _admitted(asked: Floats, limit: Floats) -> Floats:
    """Return ``1 / (1 + a^16)^(1/16)`` of ``a = asked / limit``: 16 is four squarings, and four square roots."""
    most = np.maximum(asked, limit)
    np.maximum(most, _LEAST, out=most)
    power = np.minimum(asked, limit)
    power /= most
    for _ in range(4):
        power *= power
    power += 1.0
    for _ in range(4):
        np.sqrt(power, out=power)
    success: Floats = limit / most
    success /= power
    success += asked == 0  # no request at all counts as success 1
    return success


def _speed(tables: Indices, busy: Floats) -> Floats:
    """Return ``1 / sigma(rho)`` (n,); ``tables`` (n,) is the first cell of each node's table."""
    intercepts, slopes = _speed_tables()
    cells = np.minimum(busy * _CELLS, _CELLS - 1).astype(np.intp) + tables
    return np.maximum(intercepts.take(cells, mode="clip") + slopes.take(cells, mode="clip") * busy, _LEAST)


def _first_cells(cores: Floats) -> Indices:
    return (cores.astype(np.int64) - 1) * _CELLS


@cache
def _speed_tables() -> tuple[Floats, Floats]:
    """Return the lines that join ``1 / sigma`` at ``_CELLS + 1`` points, for 1, 2, ... ``MAX_CORES`` cores.

    It is ``1 / sigma`` that is interpolated: it falls from 1 to 0 without a pole, and for one core is a straight line.
    """
    busy = np.arange(_CELLS + 1) / _CELLS
    lines = []
    for cores in range(1, MAX_CORES + 1):
        speed = cores * (1 - busy) / (cores * (1 - busy) + erlang_c(cores, cores * busy))
        slope = np.diff(speed) * _CELLS
        lines.append((speed[:-1] - slope * busy[:-1], slope))
    intercepts, slopes = (np.concatenate(columns) for columns in zip(*lines, strict=True))
    return intercepts, slopes


def erlang_c(cores: int, erlangs: Floats) -> Floats:
    """Return the probability of having to wait in M/M/C (n,), by the recursion of Erlang's B over the servers."""
    blocked = np.ones_like(erlangs)
    for servers in range(1, cores + 1):
        blocked = erlangs * blocked / (servers + erlangs * blocked)
    return blocked / (1 - erlangs / cores * (1 - blocked))
