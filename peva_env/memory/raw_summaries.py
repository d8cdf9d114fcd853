"""Whether k6's raw summaries fit their events, in SQL. ``peva_env.sources.k6`` says how k6 names its metrics.

Two runs of one configuration often have equal counts, but hardly an equal mean latency.
"""

from peva_env.memory.schema import TABLES

_KEY = ", ".join(TABLES["k6_raw_summaries"].key)


def misfits(summaries: str) -> str:
    """Return the query of raw summaries that say otherwise than their events: key, stored text, text by the event.

    Those that name their functions are compared, as those of ``peva_env.sources.k6`` do. In a campaign with a
    ``k6_version`` all must name them. A source of another kind may store what it likes.

    Args:
        summaries: an SQL relation with the columns of ``k6_raw_summaries``.
    """
    latency = "http_req_duration{{scenario:f{i},expected_response:true}}"
    own = "peva_latency{{scenario:f{i}}}"  # of functions whose bodies decide as well
    recorded = _text(
        "summary->>concat('$.functions.f', i)",
        f"coalesce(try_cast({_metric('iterations{{scenario:f{i}}}', 'count')} AS BIGINT), 0)",
        f"coalesce(try_cast({_metric('dropped_iterations{{scenario:f{i}}}', 'count')} AS BIGINT), 0)",
        f"if(try_cast({_either(own, latency, 'count')} AS BIGINT) > 0, "
        f"try_cast({_either(own, latency, 'avg')} AS DOUBLE), NULL)",
    )
    return f"""
        SELECT key, if(summary IS NULL, 'no JSON', if(names_functions, {recorded}, 'no functions')) AS stored,
            {_text("name", "sent", "dropped", "mean_ms")} AS expected
        FROM (
            SELECT concat_ws('/', {_KEY}) AS key, if(json_valid(summary_json), summary_json, NULL)::JSON AS summary,
                json_exists(summary, '$.functions') AS names_functions,
                run_id IN (SELECT run_id FROM run_sessions WHERE k6_version IS NOT NULL) AS is_of_k6,
                unnest(range(len(function_names))) AS i, unnest(function_names) AS name, unnest(e.sent) AS sent,
                unnest(dropped) AS dropped, unnest(mean_ms) AS mean_ms
            FROM {summaries} JOIN execution_events e USING ({_KEY}) WHERE len(e.sent) = len(function_names)
        )
        WHERE (summary IS NULL OR names_functions OR is_of_k6) AND stored <> expected ORDER BY ALL
    """  # noqa: S608


def _metric(name: str, statistic: str) -> str:
    """Return the SQL expression of a value of the summary; ``name`` has ``{i}`` for the number of the function."""
    before, after = name.format(i="\n").split("\n")
    return f"""(summary->concat('$.metrics."{before}', i, '{after}".values."{statistic}"'))"""


def _either(first: str, second: str, statistic: str) -> str:
    return f"coalesce({_metric(first, statistic)}, {_metric(second, statistic)})"


def _text(name: str, sent: str, dropped: str, mean_ms: str) -> str:
    return (
        f"concat({name}, ': sent ', {sent}, ', dropped ', {dropped}, ', mean_ms ', coalesce({mean_ms}::VARCHAR, '-'))"
    )
