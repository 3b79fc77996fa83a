"""docs/cluster.md names every metric of the controller with its labels, and its alert rules rest on what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sympozium_controller.operator.metrics import Metrics
from sympozium_controller.operator.queue import Queue
from sympozium_protocol.exits import Reason

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
SECTION = PAGE.read_text().partition("## Metrics\n")[2].partition("\n## ")[0]
QUEUES = ("runs", "instances", "checks", "networks")
OF_A_HISTOGRAM = re.compile(r"_(bucket|count|sum)$")


def served() -> dict[str, set[str]]:
    """Names of labels by metric, as /metrics has them when each has happened once."""
    metrics = Metrics()
    metrics.count_runs(lambda: {"Running": 1})
    queues: list[Queue[Any]] = [Queue(name) for name in QUEUES]
    metrics.watch(queues)
    metrics.ended.labels("Failed", "NodeLost").inc()
    metrics.writes.labels("patch", "Job", "ok").inc()
    metrics.to_job.observe(1)
    for queue in queues:
        queue.on_failure("fault")
        with queue.timed():
            pass
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                name = OF_A_HISTOGRAM.sub("", sample.name)
                found.setdefault(name, set()).update(set(sample.labels) - {"le"})
    return found


def rules() -> list[dict[str, Any]]:
    (text,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def test_every_metric_is_listed_with_its_labels_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", SECTION, re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == served()


def test_the_queues_are_named() -> None:
    assert all(f"`{name}`" in SECTION for name in QUEUES)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_rests_on_metrics_labels_and_reasons_that_there_are(rule: dict[str, Any]) -> None:
    there = served()
    named = re.findall(r"(sympozium_\w+)(?:\{([^}]*)\})?", rule["expr"])
    assert named
    for name, matchers in named:
        assert name in there
        assert set(re.findall(r"(\w+)=", matchers)) <= there[name]
    by = {label for found in re.findall(r"by \(([\w, ]+)\)", rule["expr"]) for label in found.split(", ")}
    assert by <= set().union(*(there[name] for name, _ in named))
    for reasons in re.findall(r'reason=~"([^"]*)"', rule["expr"]):
        assert set(reasons.split("|")) <= set(Reason.__members__)
