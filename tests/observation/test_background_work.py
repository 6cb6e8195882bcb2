"""Background work that fails is restarted, and the failure is in the log, in the metrics and in the readiness."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from observation.samples import metrics_of, value
from observation.workers import started
from support.factories import migrate_to_head, new_database, settings_for
from support.service_process import ServiceProcess

RECOVERY_TIMEOUT_S = 20


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        yield dsn


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + RECOVERY_TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def failures(service: ServiceProcess, work: str) -> float:
    return value(metrics_of(service), "tickets_background_failures_total", work=work)


def counts_are_exported(service: ServiceProcess) -> bool:
    return value(metrics_of(service), "tickets_counted_timestamp_seconds") > 0


async def test_work_that_fails_unexpectedly_is_restarted(
    dsn: str, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("ALTER TABLE tickets RENAME TO renamed")  # an error that no statement expects
    with started(settings_for(dsn, *redis_address), tmp_path / "log") as service:
        wait_until(lambda: failures(service, "refresh-counts") > 0)
        assert failures(service, "report-metrics") == 0
        response = service.request("GET", "/readyz")
        assert response.status == 200
        readiness = response.json()
        assert readiness["background"] == "degraded"
        assert "refresh-counts" in readiness["failing_work"]
        reads_tickets = {"compute-numbers", "fire-timers", "refresh-counts", "report-timer-lag"}
        assert set(readiness["failing_work"]) <= reads_tickets
        line = next(
            line
            for line in service.log_lines()
            if line["logger"] == "workers.runner" and "refresh-counts" in line["message"]
        )
        assert line["level"] == "error"
        assert line["message"].startswith("background work refresh-counts failed; restarting it in ")
        assert "UndefinedTableError" in line["error"]
        await connection.execute("ALTER TABLE renamed RENAME TO tickets")
        await connection.close()
        wait_until(lambda: counts_are_exported(service))
