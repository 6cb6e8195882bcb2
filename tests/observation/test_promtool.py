"""Prometheus's own linter accepts the alert rules, the queries of the dashboard and the metrics."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.settings import ROOT
from support.factories import a_ticket
from support.programs import require_program
from support.service_process import ServiceProcess

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/tickets.json").read_text())


@pytest.fixture
def promtool() -> str:
    return require_program("promtool")


def check(promtool: str, *arguments: str | Path, sent: bytes = b"") -> tuple[int, str]:
    """Run `promtool check`; return its exit status and output."""
    ran = subprocess.run([promtool, "check", *arguments], input=sent, capture_output=True, check=False, timeout=60)
    return ran.returncode, (ran.stdout + ran.stderr).decode()


def test_the_alert_rules_are_valid(promtool: str) -> None:
    status, output = check(promtool, "rules", ROOT / "deploy/prometheus/alerts.yml")
    assert status == 0, output
    assert "SUCCESS" in output


def test_the_queries_of_the_dashboard_are_valid(promtool: str, tmp_path: Path) -> None:
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    assert queries
    # Grafana replaces its own variables before Prometheus parses a query.
    parsed = [query.replace("$__rate_interval", "5m").replace("$__range", "1h") for query in queries]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(parsed)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    status, output = check(promtool, "rules", file)
    assert status == 0, output


def test_the_metrics_of_a_service_follow_the_conventions(promtool: str, service: ServiceProcess) -> None:
    created = service.request("POST", "/tickets", a_ticket())
    assert created.status == 201
    assert service.request("GET", f"/tickets/{created.json()['id']}").status == 200
    metrics = service.request("GET", "/metrics").body
    assert b"\ntickets_created_total " in metrics
    assert check(promtool, "metrics", sent=metrics) == (0, "")


def test_a_metric_against_the_conventions_is_found(promtool: str) -> None:
    status, output = check(promtool, "metrics", sent=b"# TYPE tickets_created counter\ntickets_created 1\n")
    assert status != 0
    assert 'should have "_total" suffix' in output
