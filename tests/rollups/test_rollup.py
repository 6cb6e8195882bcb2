"""The numbers that are computed event by event are those of the whole history."""

import asyncio
import random
from collections import Counter

import pytest

from core.errors import DatabaseUnavailable
from rollups.conftest import Counting, Numbers
from services.numbers import rollup as module
from services.numbers.buckets import bucket_of, percentile

HISTORIES = 3
ACTS = 60


def totals(numbers: Numbers, kind: str = "all") -> dict[tuple[str, str], int]:
    """Return the numbers of a kind by value and metric."""
    found: Counter[tuple[str, str]] = Counter()
    for (of_kind, _, value, metric, _), count in numbers.items():
        if of_kind == kind:
            found[value, metric] += count
    return dict(found)


async def test_the_first_build_counts_the_events_of_before(counting: Counting) -> None:
    first, second = [await counting.ticket() for _ in range(2)]
    await counting.change(first, status="answered")
    await counting.change(second, status="closed")
    await counting.publish()
    assert await counting.stored() == {}
    await counting.count()
    assert totals(await counting.stored()) == {("", "opened"): 2, ("", "answered"): 1, ("", "closed"): 1}


async def test_an_event_is_counted_with_what_the_ticket_had_then(counting: Counting) -> None:
    group = (await counting.client.post("/groups", json={"name": "Network"})).json()["id"]
    ticket_id = await counting.ticket(tags=["a"], group_id=group)
    await counting.change(ticket_id, status="answered", tags=["a", "b"], assignee_id="key:admin")
    await counting.change(ticket_id, status="awaiting_reply", group_id=None)
    await counting.change(ticket_id, status="answered")
    await counting.change(ticket_id, status="closed", tags=[])
    await counting.publish()
    await counting.count()
    numbers = await counting.stored()
    of_group = str(group)
    assert totals(numbers, "group") == {
        (of_group, "opened"): 1,
        (of_group, "answered"): 1,
        ("none", "closed"): 1,
    }
    assert totals(numbers, "person") == {
        ("none", "opened"): 1,
        ("key:admin", "answered"): 1,
        ("key:admin", "closed"): 1,
    }
    assert totals(numbers, "tag") == {("a", "opened"): 1, ("a", "answered"): 1, ("b", "answered"): 1}


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_what_is_rebuilt_is_what_was_stored(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - reproducible
    monkeypatch.setattr(module, "BATCH", dice.choice([1, 3, 500]))
    for _ in range(ACTS):
        await counting.act(dice)
        if dice.random() < 0.3:
            await counting.publish()
        if dice.random() < 0.3:
            await counting.rollup.step()
    await counting.act(dice)  # not published: neither counts it
    await counting.count()
    stored = await counting.stored()
    assert totals(stored)["", "opened"] >= 3
    generation = await counting.sql.fetchval("SELECT generation FROM number_state")
    await counting.rollup.rebuild()
    assert await counting.sql.fetchval("SELECT generation FROM number_state") == generation + 1
    assert await counting.stored() == stored
    await counting.publish()
    await counting.count()
    after = totals(await counting.stored())
    tickets = await counting.sql.fetchrow("SELECT count(*), count(*) FILTER (WHERE status = 'closed') FROM tickets")
    assert tickets is not None
    assert (after["", "opened"], after.get(("", "closed"), 0)) == tuple(tickets)
    await counting.rollup.step()  # has nothing to count, and deletes the old generation
    assert await counting.sql.fetchval("SELECT count(DISTINCT generation) FROM number_hours") == 1


async def test_events_during_a_rebuild_are_counted_once(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    for _ in range(4):
        await counting.ticket()
    await counting.publish()
    await counting.count()
    late = await counting.ticket()  # committed before the rebuild begins, and published later
    await counting.sql.execute("UPDATE number_state SET position = NULL")
    await counting.rollup.step()
    await counting.change(late, status="closed")
    await counting.rollup.step()
    await counting.publish()
    await counting.ticket()
    await counting.publish()
    await counting.count()
    assert totals(await counting.stored()) == {("", "opened"): 6, ("", "closed"): 1}


async def test_several_processes_count_each_event_once(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    await counting.count()
    for _ in range(9):
        await counting.ticket()
    await counting.publish()
    while any(await asyncio.gather(*(counting.rollup.step() for _ in range(4)))):
        pass
    assert totals(await counting.stored()) == {("", "opened"): 9}


async def test_a_step_that_fails_has_counted_nothing(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    await counting.count()
    await counting.ticket()
    await counting.publish()

    real = module._add  # noqa: SLF001 - a process that ends within the transaction

    async def add_and_fail(*arguments: object) -> None:
        await real(*arguments)  # type: ignore[arg-type]
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(module, "_add", add_and_fail)
    with pytest.raises(DatabaseUnavailable):
        await counting.rollup.step()
    monkeypatch.setattr(module, "_add", real)
    await counting.count()
    assert totals(await counting.stored()) == {("", "opened"): 1}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event_publisher SET epoch = gen_random_uuid()",
        """
        UPDATE event_publisher SET first_position = last_position;
        DELETE FROM event_log WHERE position < (SELECT last_position FROM event_publisher)
        """,
    ],
)
async def test_a_log_that_does_not_continue_the_position_leads_to_a_rebuild(counting: Counting, change: str) -> None:
    await counting.count()
    for _ in range(3):
        await counting.ticket()
    await counting.publish()
    await counting.sql.execute(change)
    await counting.count()
    assert totals(await counting.stored()) == {("", "opened"): 3}
    assert await counting.sql.fetchval("SELECT generation FROM number_state") == 2


async def test_service_levels_count_when_a_ticket_is_closed(counting: Counting) -> None:
    calendar = {"name": "Always", "zone": "UTC", "weekly": {"mon": [["00:00", "24:00"]]}}
    calendar_id = (await counting.client.post("/calendars", json=calendar)).json()["id"]
    policy = {"name": "Gold", "calendar_id": calendar_id, "first_response_s": 3600, "match": {"tag": ["gold"]}}
    assert (await counting.client.post("/sla-policies", json=policy)).status_code == 201
    counting.app.state.automation.forget()
    met, missed, none = [await counting.ticket(tags=tags) for tags in (["gold"], ["gold"], [])]
    await counting.sql.execute(
        "WITH changed AS (UPDATE tickets SET version = 2 WHERE id = $1 RETURNING id)"
        " INSERT INTO ticket_events (ticket_id, version, type, audience, actor)"
        " SELECT id, 2, 'sla_breached', 'internal', 'system:sla' FROM changed",
        missed,
    )
    for ticket_id in (met, missed, none):
        assert (await counting.change(ticket_id, status="closed")).status_code == 200
    await counting.publish()
    await counting.count()
    found = totals(await counting.stored())
    assert (found["", "closed"], found["", "met"], found["", "missed"]) == (3, 1, 1)


def test_a_percentile_is_that_of_the_nearest_rank_within_a_few_percent() -> None:
    dice = random.Random(1)  # noqa: S311 - reproducible
    durations = sorted(dice.expovariate(1 / 30_000) + 1 for _ in range(999))
    counts = Counter(bucket_of(seconds) for seconds in durations)
    for fraction, index in ((0.5, 499), (0.9, 899)):
        assert percentile(counts, fraction) == pytest.approx(durations[index], rel=0.046)
    assert percentile({}, 0.5) is None
    assert percentile({0: 1}, 0.9) == 1.0
