from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.history import Kind, Outcome
from chaos.storm import Plan, storm
from db.embedded.valkey import EmbeddedValkey
from support.servers import running_server


@pytest.fixture
def valkey(server_folder: Path) -> Iterator[EmbeddedValkey]:
    with running_server(EmbeddedValkey(server_folder / "valkey-in-chaos", nodes=3)) as valkey:
        yield valkey


async def test_nothing_is_lost_doubled_or_stale_under_random_faults(
    own_database_dsn: str, valkey: EmbeddedValkey
) -> None:
    report = await storm(own_database_dsn, valkey, Plan(seed=7, clients=8, seconds=8), print)
    assert [str(violation) for violation in report.verdict.violations] == []
    done = [each.kind for each in report.history.operations if each.outcome is Outcome.ACKNOWLEDGED]
    assert set(done) == set(Kind)
    assert report.cache["hits"] > 0
    assert report.faults["node killed"] > 0
    assert report.faults["writer killed after its commit"] > 0
