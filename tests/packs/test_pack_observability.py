"""sre-observability asks real servers and says what they answered in few words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.packs.examples import call_tool, needs, play_example, went_well
from tests.support.canned import canned


def _result(query: Mapping[str, list[str]]) -> Any:
    said = query["query"][0]
    if said == "up == 0":
        return {"status": "success", "data": {"resultType": "vector", "result": []}}
    if said == "bad(":
        return 400, {"status": "error", "errorType": "bad_data", "error": "1:5: parse error: unclosed left parenthesis"}
    assert said == 'sum by (code) (rate(http_requests_total{job="payments"}[5m]))'
    series = [{"metric": {"code": code}, "value": [1767258000, value]} for code, value in (("200", "4"), ("500", "1"))]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


PROMETHEUS = {
    "/api/v1/query": _result,
    "/api/v1/query_range": {
        "status": "success",
        "data": {
            "resultType": "matrix",
            "result": [{"metric": {}, "values": [[1767256200, "0"], [1767258000, "0"], [1767258600, "1.5"]]}],
        },
    },
    "/api/v1/alerts": {
        "status": "success",
        "data": {
            "alerts": [
                {
                    "state": "firing",
                    "activeAt": "2026-01-01T09:02:00Z",
                    "labels": {"alertname": "PaymentsErrors"},
                    "annotations": {"summary": "one request in five fails"},
                }
            ]
        },
    },
    "/api/v1/series": lambda query: {"status": "success", "data": [{"__name__": "up", "asked": query["match[]"][0]}]},
}
LOKI = {
    "/loki/api/v1/query_range": {
        "status": "success",
        "data": {
            "resultType": "streams",
            "result": [
                {"stream": {"pod": "a"}, "values": [["1767258120000000000", "error: no database"]]},
                {"stream": {"pod": "b"}, "values": [["1767258121000000000", "error: still none"]]},
            ],
        },
    }
}


def test_metrics_and_logs_say_since_when(tmp_path: Path) -> None:
    needs("curl", "jq")
    with canned(PROMETHEUS) as prometheus, canned(LOKI) as loki:
        put = {"http://prometheus.example:9090": prometheus.url, "http://loki.example:3100": loki.url}
        run = play_example("sre-observability", tmp_path, put)
    went_well(run)
    assert 'firing  since 2026-01-01T09:02:00Z  {"alertname":"PaymentsErrors"}  one request in five fails' in run.out
    assert "Not scraped: no series: that is not zero" in run.out
    assert '4  {"code":"200"}\n1  {"code":"500"}' in run.out
    assert "  min 0  max 1.5  first 0  last 1.5\n  08:30:00=0 09:00:00=0 09:10:00=1.5" in run.out
    assert run.out.index("error: still none") < run.out.index("error: no database"), "the newest first"
    assert '2026-01-01T09:02:00Z  {"pod":"a"}  error: no database' in run.out
    assert any("limit=50" in request and "since=1h" in request for request in loki.asked)


def test_a_query_that_prometheus_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    needs("curl", "jq")
    with canned(PROMETHEUS) as server:
        env = {"PARAM_PROMETHEUSURL": server.url}
        refused = call_tool("sre-observability", "prometheus_query", tmp_path / "w", env, query="bad(")
        found = call_tool(
            "sre-observability", "prometheus_series", tmp_path / "w", env, selector='{a="b",c=~"d|e"}', limit=5
        )
    assert refused.returncode == 1
    assert "1:5: parse error: unclosed left parenthesis" in refused.stdout
    assert found.stdout == 'up{"asked":"{a=\\"b\\",c=~\\"d|e\\"}"}\n'


def test_a_server_that_is_not_named_is_told(tmp_path: Path) -> None:
    done = call_tool("sre-observability", "prometheus_alerts", tmp_path / "w", {"PARAM_PROMETHEUSURL": ""})
    assert done.returncode != 0
    assert "this skill has no parameter prometheusURL" in done.stdout
