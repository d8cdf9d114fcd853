"""Who may be loaded next: limits hold, and a budget goes where runs gain most."""

from peva_agents.fleet import LoadShares


def play(shares: LoadShares, gains: dict[str, int], *, n: int, cost_s: float = 10.0) -> dict[str, int]:
    """Let all nodes ask all the time, one run at a time, and count their runs."""
    runs = dict.fromkeys(gains, 0)
    for _ in range(n):
        for name in shares.next(gains, [])[:1]:
            shares.charge(name, cost_s, gains[name])
            runs[name] += 1
    return runs


def test_without_limits_all_may_run() -> None:
    assert LoadShares("abc").next("cab", []) == ["a", "b", "c"]


def test_no_more_than_allowed_are_loaded_in_the_order_of_the_file() -> None:
    shares = LoadShares("abc", max_loaded=2)
    assert shares.next("abc", []) == ["a", "b"]
    assert shares.next("bc", ["a"]) == ["b"]
    assert shares.next("c", ["a", "b"]) == []


def test_a_budget_is_shared_in_proportion_to_the_gain() -> None:
    runs = play(LoadShares("ab", budget_s=1e9), {"a": 29, "b": 9}, n=400)
    assert 2.5 < runs["a"] / runs["b"] < 3.5  # (29 + 1/8) / (9 + 1/8), about


def test_a_node_that_gains_nothing_is_not_given_up() -> None:
    assert play(LoadShares("ab", budget_s=1e9), {"a": 20, "b": 0}, n=1000)["b"] > 0


def test_nodes_of_equal_gain_run_side_by_side() -> None:
    shares = LoadShares("ab", budget_s=1e9)
    shares.charge("a", 10, 5)
    shares.charge("b", 10, 5)
    shares.charge("a", 10, 5)
    assert shares.next("a", ["b"]) == ["a"]  # one run ahead
    shares.charge("a", 10, 5)
    assert shares.next("a", ["b"]) == []


def test_runs_in_progress_count_against_the_budget() -> None:
    shares = LoadShares("abc", budget_s=35)
    for name in "abc":
        shares.charge(name, 10, 5)
    assert shares.next("abc", []) == ["a"]
    assert shares.next("bc", ["a"]) == []
    assert not shares.is_spent
    shares.charge("a", 10, 1)
    assert shares.is_spent
