from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.history import Kind, Outcome
from chaos.storm import Plan, storm
from support.replicated_valkey import ReplicatedValkey
from support.servers import running_server


@pytest.fixture
def valkey(server_folder: Path) -> Iterator[ReplicatedValkey]:
    with running_server(ReplicatedValkey(server_folder / "valkey-in-chaos")) as valkey:
        yield valkey


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
