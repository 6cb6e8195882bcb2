from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.event_storm import event_storm
from chaos.history import Kind, Outcome
from chaos.storm import Plan, storm
from core.settings import async_dsn
from db.embedded import EmbeddedPostgres
from db.postgres.migrations import migrate
from support.replicated_valkey import ReplicatedValkey
from support.servers import FastPostgres, running_server


@pytest.fixture(scope="module")
def valkey(server_folder: Path) -> Iterator[ReplicatedValkey]:
    with running_server(ReplicatedValkey(server_folder / "valkey-in-chaos")) as valkey:
        yield valkey


@pytest.fixture
def postgres(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server of its own, which the test kills."""
    with running_server(FastPostgres(server_folder / "postgres-in-chaos")) as postgres:
        migrate(async_dsn(postgres.dsn))
        yield postgres


async def test_nothing_is_lost_doubled_or_stale_under_random_faults(
    own_database_dsn: str, valkey: ReplicatedValkey, tmp_path: Path
) -> None:
    report = await storm(own_database_dsn, valkey, Plan(seed=7, clients=8, seconds=15), tmp_path, print)
    assert [str(violation) for violation in report.verdict.violations] == []
    done = [each.kind for each in report.history.operations if each.outcome is Outcome.ACKNOWLEDGED]
    assert set(done) == set(Kind)
    assert report.cache["hits"] > 0
    assert report.groups_marked_down > 0
    assert any("promoted" in fault for fault in report.faults)
    assert any("cut off" in fault for fault in report.faults)
    assert any("process" in fault and "killed" in fault for fault in report.faults)
    assert report.faults["writer killed at its commit"] > 0


async def test_every_reader_gets_every_event_that_it_may_see_under_random_faults(
    postgres: EmbeddedPostgres, valkey: ReplicatedValkey, tmp_path: Path
) -> None:
    report = await event_storm(postgres, valkey, Plan(seed=7, clients=2, seconds=5), tmp_path, print)
    assert report.violations == []
    assert all(reading.accepted() for reading in report.readings)
    assert report.faults.total() > 0
    webhooks = [reading for reading in report.readings if not reading.is_in_log_order]
    assert any(reading.counts["answered 410"] for reading in webhooks)
    assert any(reading.counts["answered 500"] for reading in webhooks)
    streams = [reading for reading in report.readings if reading.counts["streams"]]
    assert all(reading.counts["streams"] > 1 for reading in streams)
