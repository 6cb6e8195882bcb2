"""The dashboard and the alerts use existing metrics, and every metric is used."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import yaml

from core.settings import ROOT
from db.cache.counters import CacheCounters
from observation.samples import gauges_of, metrics_of, names
from support.service_process import ServiceProcess

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/tickets.json").read_text())
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
PAGES = (ROOT / "docs/runbook.md").read_text()


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (rule["expr"] for rule in ALERTS)


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:tickets|process)_\w+", expression))


def test_every_metric_in_use_is_exposed(service: ServiceProcess) -> None:
    assert service.request("GET", "/workflow").status == 200
    used = set[str]().union(*map(metrics_in, expressions()))
    assert len(used) > 15
    assert used - names(metrics_of(service)) - gauges_of(service) == set()


def test_every_exposed_metric_is_in_use(service: ServiceProcess) -> None:
    exposed = {name for name in names(metrics_of(service)) | gauges_of(service) if name.startswith("tickets_")}
    used = set[str]().union(*map(metrics_in, expressions()))
    assert exposed - used == {"tickets_http_request_duration_seconds_sum"}


@pytest.mark.parametrize("expression", list(expressions()))
def test_an_expression_is_balanced_and_names_existing_events(expression: str) -> None:
    outside_of_strings = re.sub(r'"[^"]*"', "", expression)
    for opening, closing in ("()", "{}", "[]"):
        assert outside_of_strings.count(opening) == outside_of_strings.count(closing)
    assert metrics_in(expression) or 'up{job="tickets"}' in expression
    events = {event for events in re.findall(r'event=~?"([^"]*)"', expression) for event in events.split("|")}
    assert events <= {field.name for field in fields(CacheCounters)}


def test_the_panels_have_unique_ids_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_has_a_summary_and_a_runbook_page(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
    assert f"\n## {rule['alert']}\n" in PAGES


def test_every_runbook_page_belongs_to_an_alert() -> None:
    assert set(re.findall(r"^## (\w+)$", PAGES, re.MULTILINE)) == {rule["alert"] for rule in ALERTS}
