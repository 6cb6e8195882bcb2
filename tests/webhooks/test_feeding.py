"""Each endpoint gets the events after its cursor that it wants and that its owner may see."""

import asyncio

import pytest

from core.errors import DatabaseUnavailable
from services.tickets.commit_signal import CommitSignal
from services.webhooks import feed_statements
from services.webhooks import feeder as feeder_module
from services.webhooks.feeder import Fed, Feeder
from support.api_calls import a_person
from support.factories import JSON, a_comment
from webhooks.conftest import Hooks
from webhooks.receiver import Receiver

URL = "https://hooks.example.com/"


async def fed(hooks: Hooks, endpoint_id: int) -> list[tuple[int, int]]:
    await hooks.feed()
    query = "SELECT ticket_id, version FROM webhook_deliveries WHERE endpoint_id = $1 ORDER BY position"
    return [(row["ticket_id"], row["version"]) for row in await hooks.sql.fetch(query, endpoint_id)]


async def person(hooks: Hooks, **fields: object) -> str:
    """Insert a person, and return the id."""
    values = a_person() | fields
    query = """
        INSERT INTO principals (id, kind, name, email, role)
        VALUES ('person:' || nextval('person_numbers'), 'person', $1, $2, $3) RETURNING id
    """
    person_id: str = await hooks.sql.fetchval(query, values["name"], values["email"], values["role"])
    return person_id


async def with_participant(hooks: Hooks, address: str) -> JSON:
    """Create a ticket of another requester with a participant."""
    ticket = await hooks.ticket(email="carol@example.com")
    added = await hooks.client.put(f"/tickets/{ticket['id']}/participants/{address}")
    assert added.status_code == 200
    return ticket


async def test_an_endpoint_gets_what_happens_after_its_creation_once(hooks: Hooks) -> None:
    await hooks.ticket()
    await hooks.feed()
    endpoint = await hooks.endpoint(URL)
    ticket = await hooks.ticket(changes=1)
    expected = [(ticket["id"], 1), (ticket["id"], 2)]
    assert await fed(hooks, endpoint) == expected
    assert await fed(hooks, endpoint) == expected


async def test_an_endpoint_gets_the_types_that_it_wants(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint(URL, types=["ticket.commented", "ticket.transitioned"])
    ticket = await hooks.ticket(changes=1)
    path = f"/tickets/{ticket['id']}"
    await hooks.client.post(f"{path}/comments", json=a_comment())
    await hooks.client.patch(path, json={"status": "answered"})
    await hooks.client.patch(path, json={"tags": ["vip"]})
    assert await fed(hooks, endpoint) == [(ticket["id"], 3), (ticket["id"], 4)]


async def test_an_endpoint_gets_the_tickets_of_its_groups_and_tags(hooks: Hooks) -> None:
    group = await hooks.sql.fetchval("INSERT INTO groups (name) VALUES ('Network') RETURNING id")
    of_group = await hooks.endpoint(URL, group_ids=[group])
    of_tag = await hooks.endpoint(URL, tags=["vip", "press"])
    of_both = await hooks.endpoint(URL, group_ids=[group], tags=["vip"])
    fields: list[JSON] = [{}, {"group_id": group}, {"tags": ["press"]}, {"group_id": group, "tags": ["vip", "x"]}]
    _, grouped, tagged, both = [await hooks.ticket(**each) for each in fields]
    assert await fed(hooks, of_group) == [(grouped["id"], 1), (both["id"], 1)]
    assert await fed(hooks, of_tag) == [(tagged["id"], 1), (both["id"], 1)]
    assert await fed(hooks, of_both) == [(both["id"], 1)]


async def test_a_requester_gets_public_events_of_visible_tickets(hooks: Hooks) -> None:
    owner = await person(hooks, email="Owner@Example.com", role="requester")
    endpoint = await hooks.endpoint(URL, principal_id=owner)
    await hooks.ticket()
    own = await hooks.ticket(email="owner@example.com")
    other = await with_participant(hooks, "owner@example.com")
    note = await hooks.client.post(f"/tickets/{own['id']}/comments", json=a_comment(visibility="internal"))
    assert note.status_code == 201
    await hooks.client.patch(f"/tickets/{own['id']}", json={"subject": "x"})
    found = await fed(hooks, endpoint)
    assert [event for event in found if event[0] == own["id"]] == [(own["id"], 1), (own["id"], 3)]
    assert (other["id"], 1) in found
    assert {ticket_id for ticket_id, _ in found} == {own["id"], other["id"]}


async def test_a_type_counts_as_far_as_the_owner_sees_the_event(hooks: Hooks) -> None:
    owner = await person(hooks, email="types@example.com", role="requester")
    endpoint = await hooks.endpoint(URL, principal_id=owner, types=["ticket.assigned", "ticket.tagged"])
    ticket = await hooks.ticket(email="types@example.com")
    await hooks.client.patch(f"/tickets/{ticket['id']}", json={"subject": "x", "tags": ["vip"]})
    assert await fed(hooks, endpoint) == []


async def test_what_the_owner_may_not_see_any_more_is_skipped(hooks: Hooks, receiver: Receiver) -> None:
    owner = await person(hooks, email="leaving@example.com", role="requester")
    endpoint = await hooks.endpoint(receiver.url, principal_id=owner)
    ticket = await with_participant(hooks, "leaving@example.com")
    assert (ticket["id"], 1) in await fed(hooks, endpoint)
    left = await hooks.client.delete(f"/tickets/{ticket['id']}/participants/leaving@example.com")
    assert left.status_code == 200
    while await hooks.deliverer().deliver_due():
        pass
    assert (set(await hooks.states(endpoint)), receiver.deliveries) == ({"skipped"}, [])


async def test_events_wait_while_the_owner_is_deactivated(hooks: Hooks, receiver: Receiver) -> None:
    owner = await person(hooks)
    endpoint = await hooks.endpoint(receiver.url, principal_id=owner)
    await hooks.ticket()
    await hooks.feed()
    active = "UPDATE principals SET active = $2, deactivated_at = CASE WHEN $2 THEN NULL ELSE now() END WHERE id = $1"
    await hooks.sql.execute(active, owner, False)
    ticket = await hooks.ticket()
    await hooks.feed()
    assert (await hooks.deliverer().deliver_due(), await hooks.states(endpoint)) == (0, ["pending"])
    await hooks.sql.execute(active, owner, True)
    assert (await fed(hooks, endpoint))[1:] == [(ticket["id"], 1)]


async def test_a_thousand_deliveries_of_an_endpoint_wait_at_most(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_statements, "MAX_PENDING", 5)
    full = await hooks.endpoint(URL)
    for _ in range(7):
        await hooks.ticket()
    assert len(await fed(hooks, full)) == 5
    done = "UPDATE webhook_deliveries SET state = 'done', finished_at = now() WHERE id IN (SELECT min(id) FROM {} {})"
    await hooks.sql.execute(done.format("webhook_deliveries", "WHERE state = 'pending'"))
    assert len(await fed(hooks, full)) == 6


@pytest.mark.parametrize("is_told", [True, False], ids=["before the round", "during the round"])
async def test_events_that_the_retention_deleted_are_counted(hooks: Hooks, *, is_told: bool) -> None:
    """During a round, the feeder has read the start of the log before it was moved."""
    endpoint = await hooks.endpoint(URL)
    for _ in range(3):
        await hooks.ticket()
    await hooks.publish()
    await hooks.sql.execute("DELETE FROM event_log WHERE position < (SELECT last_position - 1 FROM event_publisher)")
    if is_told:
        await hooks.sql.execute("UPDATE event_publisher SET first_position = last_position - 1")
    try:
        assert len(await fed(hooks, endpoint)) == 2
    finally:
        await hooks.sql.execute("UPDATE event_publisher SET first_position = (SELECT min(position) FROM event_log)")
    assert (await hooks.one("webhook_endpoints", endpoint))["missed"] == 1


async def test_two_feeders_create_each_delivery_once(hooks: Hooks) -> None:
    created = [await hooks.endpoint(URL) for _ in range(3)]
    for _ in range(5):
        await hooks.ticket(changes=1)
    await hooks.publish()
    feeders = [Feeder(hooks.database) for _ in range(4)]
    while any(fed.moved for fed in await asyncio.gather(*(feeder.feed() for feeder in feeders))):
        pass
    for endpoint in created:
        assert await hooks.states(endpoint) == ["pending"] * 10


@pytest.mark.parametrize("failure", [DatabaseUnavailable("too slow"), ZeroDivisionError()], ids=str)
async def test_an_endpoint_that_cannot_be_fed_does_not_stop_the_others(
    hooks: Hooks, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    broken, other = await hooks.endpoint(URL), await hooks.endpoint(URL)
    await hooks.ticket()
    await hooks.publish()

    class _FailingFeeder(Feeder):
        attempts = 0

        async def _feed_endpoint(self, endpoint_id: int) -> int:
            if endpoint_id == broken:
                self.attempts += 1
                raise failure
            return await super()._feed_endpoint(endpoint_id)

    feeder = _FailingFeeder(hooks.database)
    assert [(await feeder.feed()).moved for _ in range(3)] == [1, 0, 0]
    assert (await hooks.states(other), feeder.attempts) == (["pending"], 1)
    expected = "WARNING" if isinstance(failure, DatabaseUnavailable) else "ERROR"
    assert [record.levelname for record in caplog.records if "cannot feed" in record.message] == [expected]


@pytest.mark.parametrize("has_endpoint", [False, True])
async def test_publications_wake_the_feeder_only_while_an_endpoint_is_on(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch, has_endpoint: bool
) -> None:
    monkeypatch.setattr(feeder_module, "POLL_EVERY_S", 3600)
    if has_endpoint:
        await hooks.endpoint(URL)
    rounds = asyncio.Semaphore(0)

    class _CountedFeeder(Feeder):
        async def feed(self) -> Fed:
            fed = await super().feed()
            rounds.release()
            return fed

    published = CommitSignal()
    running = asyncio.create_task(_CountedFeeder(hooks.database).run(published))
    try:
        await rounds.acquire()
        await asyncio.sleep(0.05)  # the feeder waits now
        published.notify()
        async with asyncio.timeout(5 if has_endpoint else 0.5):
            await rounds.acquire()
            woken = True
    except TimeoutError:
        woken = False
    finally:
        running.cancel()
    assert woken is has_endpoint
