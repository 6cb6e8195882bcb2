"""Admins manage webhooks over HTTP."""

import httpx2
import pytest
from standardwebhooks import Webhook

from core import metrics
from directory.conftest import problem
from models import Role
from services.access.api_keys import ApiKeys
from services.webhooks import endpoints
from services.webhooks.maintenance import measure, purge
from webhooks.conftest import URL, Hooks, created, dead_deliveries
from webhooks.receiver import Receiver, Reply


async def test_the_secret_is_shown_once_and_stored_sealed(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    response = await admin.post("/webhooks", json={"url": receiver.url, "types": ["ticket.created"]})
    webhook = response.json()
    assert (response.status_code, response.headers["ETag"]) == (201, '"1"')
    assert response.headers["Location"] == f"/webhooks/{webhook['id']}"
    secret = webhook.pop("secret")
    read = await admin.get(response.headers["Location"])
    assert (read.json(), read.headers["ETag"]) == (webhook, '"1"')
    assert (webhook["principal_id"], webhook["state"], webhook["detail"]) == ("key:webhooks", "on", "thin")
    assert webhook in (await admin.get("/webhooks")).json()["items"]
    stored = (await hooks.one("webhook_endpoints", webhook["id"]))["secret"]
    assert await hooks.box.open(stored) not in stored
    await hooks.ticket()
    await hooks.feed()
    await hooks.deliverer().deliver_due()
    Webhook(secret).verify(receiver.deliveries[0].body, receiver.deliveries[0].headers)


@pytest.mark.usefixtures("hooks")
async def test_a_secret_of_ones_own_is_used(admin: httpx2.AsyncClient) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert (await created(admin, secret=secret))["secret"] == secret
    short = await admin.post("/webhooks", json={"url": URL, "secret": "whsec_" + "A" * 33 + "==="})
    assert problem(short) == (422, "invalid-reference")


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("url", "http://hooks.example.com/", None),
        ("url", "https://10.0.0.1/", "#/url"),
        ("url", "https://user:word@hooks.example.com/", "#/url"),
        ("url", "ftp://hooks.example.com/", "#/url"),
        ("types", ["ticket.created", "ticket.eaten"], "#/types/1"),
        ("group_ids", [999_999], "#/group_ids/0"),
        ("principal_id", "person:999999", "#/principal_id"),
    ],
)
async def test_what_cannot_be_used_is_refused(
    admin: httpx2.AsyncClient, field: str, value: object, pointer: str | None
) -> None:
    response = await admin.post("/webhooks", json={"url": URL, field: value})
    if pointer is None:  # a network is allowed here: the addresses of the name are checked when it is called
        assert response.status_code == 201
        return
    assert problem(response) == (422, "invalid-reference")
    assert [part["pointer"] for part in response.json()["errors"]] == [pointer]


async def test_agents_have_no_access(hooks: Hooks, admin: httpx2.AsyncClient) -> None:
    webhook = await created(admin)
    key, _ = await ApiKeys(hooks.database).create("webhooks-agent", Role.AGENT)
    headers = {"Authorization": f"Bearer {key}"}
    for method, path in (("GET", "/webhooks"), ("POST", "/webhooks"), ("GET", f"/webhooks/{webhook['id']}")):
        body = {"url": URL} if method == "POST" else None
        response = await admin.request(method, path, json=body, headers=headers)
        assert problem(response) == (403, "forbidden")


async def test_a_test_shows_the_outcome_and_the_headers(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await created(admin, url=receiver.url)
    receiver.behaviour = lambda _: Reply(200, body=b"ok")
    tested = (await admin.post(f"/webhooks/{webhook['id']}/test")).json()
    (delivery,) = receiver.deliveries
    assert (tested["is_success"], tested["status"], tested["response_head"]) == (True, 200, "ok")
    assert tested["request_headers"]["webhook-id"] == delivery.id
    assert Webhook(webhook["secret"]).verify(delivery.body, tested["request_headers"])["type"] == "webhook.test"
    receiver.behaviour = lambda _: Reply(500)
    failed = (await admin.post(f"/webhooks/{webhook['id']}/test")).json()
    assert (failed["is_success"], failed["status"]) == (False, 500)
    assert (await hooks.one("webhook_endpoints", webhook["id"]))["failures"] == 0


async def test_deliveries_are_listed_with_their_last_attempt(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await created(admin, url=receiver.url)
    path = f"/webhooks/{webhook['id']}/deliveries"
    tickets = [await hooks.ticket() for _ in range(3)]
    await hooks.feed()
    receiver.behaviour = lambda delivery: Reply(500 if f"_{tickets[0]['id']}_" in delivery.id else 204, body=b"x")
    await hooks.deliverer().deliver_due()
    pending = (await admin.get(f"{path}?state=pending")).json()["items"]
    assert [(each["message_id"], each["attempts"]) for each in pending] == [(f"evt_{tickets[0]['id']}_1", 1)]
    assert (pending[0]["last_attempt"]["status"], pending[0]["finished_at"]) == (500, None)
    found: list[str] = []
    page: str | None = f"{path}?limit=2"
    while page:
        response = await admin.get(page)
        found += [each["message_id"] for each in response.json()["items"]]
        page = response.headers["Link"].partition(">")[0][1:] if "Link" in response.headers else None
    assert found == [f"evt_{ticket['id']}_1" for ticket in reversed(tickets)]


async def test_a_deleted_webhook_gets_nothing_and_its_rows_are_removed(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await created(admin, url=receiver.url)
    path = f"/webhooks/{webhook['id']}"
    await hooks.ticket()
    await hooks.feed()
    await admin.post(f"{path}/replays", json={"from": "2026-01-01T00:00:00Z"})
    assert problem(await admin.delete(path, headers={"If-Match": '"2"'})) == (412, "version-mismatch")
    assert (await admin.delete(path)).json()["id"] == webhook["id"]
    for method, target in (
        ("GET", path),
        ("DELETE", path),
        ("POST", f"{path}/test"),
        ("POST", f"{path}/rotate-secret"),
        ("GET", f"{path}/deliveries"),
        ("GET", f"{path}/replays/1"),
    ):
        assert problem(await admin.request(method, target)) == (404, "webhook-not-found")
    await hooks.feed()
    assert (await hooks.deliverer().deliver_due(), receiver.deliveries) == (0, [])
    assert await purge(hooks.database) == 1
    assert await hooks.sql.fetchval("SELECT count(*) FROM webhook_endpoints") == 0


async def test_other_ids_are_not_found(admin: httpx2.AsyncClient, hooks: Hooks) -> None:
    one, other = await created(admin), await created(admin)
    await hooks.ticket()
    await hooks.feed()
    (delivery,) = (await admin.get(f"/webhooks/{one['id']}/deliveries")).json()["items"]
    replay = (await admin.post(f"/webhooks/{one['id']}/replays", json={"from": "2026-01-01T00:00:00Z"})).json()
    path = f"/webhooks/{other['id']}"
    foreign = await admin.post(f"{path}/deliveries/{delivery['id']}/replay")
    assert problem(foreign) == (404, "delivery-not-found")
    assert problem(await admin.get(f"{path}/replays/{replay['id']}")) == (404, "replay-not-found")


@pytest.mark.usefixtures("hooks")
async def test_the_number_of_webhooks_is_limited(admin: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "MAX_WEBHOOKS", 1)
    await created(admin)
    assert problem(await admin.post("/webhooks", json={"url": URL})) == (409, "too-many-webhooks")


async def test_deliveries_are_kept_for_30_days(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    for _ in range(2):
        await hooks.ticket()
    await hooks.feed()
    await hooks.deliverer().deliver_due()
    old = "UPDATE webhook_deliveries SET finished_at = now() - interval '31 days' WHERE id IN (SELECT min(id) FROM {})"
    await hooks.sql.execute(old.format("webhook_deliveries"))
    assert await purge(hooks.database) == 1
    assert await hooks.states(endpoint) == ["done"]
    assert await hooks.sql.fetchval("SELECT count(*) FROM webhook_attempts") == 1


async def test_the_metrics_name_what_waits_and_what_is_dead(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await dead_deliveries(hooks, admin, receiver, 2)
    await hooks.ticket()
    await hooks.feed()
    await hooks.pass_time(100)
    await measure(hooks.database)
    text = (await admin.get("/metrics")).text
    label = f'{{endpoint="{webhook["id"]}"}}'
    assert f"tickets_webhook_dead_deliveries{label} 2.0" in text
    (age,) = [line for line in text.splitlines() if line.startswith(f"tickets_webhook_oldest_pending_seconds{label}")]
    assert 100 <= float(age.rpartition(" ")[2]) < 110


def gauge(name: str, endpoint_id: int) -> float:
    value = metrics.REGISTRY.get_sample_value(name, {"endpoint": str(endpoint_id)})
    assert value is not None
    return value


async def test_the_age_counts_the_first_event_that_the_log_still_has(hooks: Hooks) -> None:
    """It must not fall when the log begins to delete what the webhook has not got."""
    endpoint = await hooks.endpoint(URL)
    for _ in range(2):
        await hooks.ticket()
    await hooks.publish()
    await hooks.sql.execute("UPDATE event_log SET published_at = published_at - interval '1 hour'")
    await hooks.sql.execute("DELETE FROM event_log WHERE position = (SELECT max(position) - 1 FROM event_log)")
    await measure(hooks.database)
    assert gauge("tickets_webhook_oldest_pending_seconds", endpoint) >= 3600


async def test_dead_deliveries_are_counted_up_to_a_bound(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint(URL)
    await hooks.sql.execute(
        "INSERT INTO webhook_deliveries (endpoint_id, position, ticket_id, version, state, finished_at)"
        " SELECT $1, n, n, 1, 'dead', now() FROM generate_series(1, 10001) n",
        endpoint,
    )
    await measure(hooks.database)
    assert gauge("tickets_webhook_dead_deliveries", endpoint) == 10_000
