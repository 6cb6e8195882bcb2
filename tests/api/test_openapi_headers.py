"""The headers of the OpenAPI document, as documented and as sent."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from core.errors import DatabaseUnavailable
from core.settings import Settings
from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.factories import JSON, NewDatabase, a_comment, a_ticket, open_ticket, running, settings_for
from support.openapi_document import operations, resolved, responses

RATE_LIMIT = {"RateLimit", "RateLimit-Policy"}
ON_STATUS = {
    401: {"WWW-Authenticate"},
    403: {"WWW-Authenticate"},
    415: {"Accept-Patch"},
    429: {"Retry-After"},
    503: {"Retry-After"},
}
# Components outside of the rate limit send these, and the probes have no rate limit.
WITHOUT_RATE_LIMIT = {401, 406, 414, 421, 431, 500}
PROBES = {"livez", "readyz"}
QUOTA = 60


@pytest.fixture(scope="module")
def document(app: FastAPI) -> JSON:
    return app.openapi()


def test_every_response_documents_its_headers(document: JSON) -> None:
    documented = {(name, status): set(response["headers"]) for name, status, response in responses(document)}
    expected: dict[tuple[str, int], set[str]] = {
        ("create_ticket", 201): {"Location", "ETag", "Idempotent-Replayed"},
        ("create_comment", 201): {"ETag", "Idempotent-Replayed"},
        ("change_ticket", 200): {"ETag"},
        ("get_ticket", 200): {"ETag", "Cache-Status", "Cache-Control"},
        ("get_ticket", 304): {"ETag", "Cache-Status", "Cache-Control"},
        ("list_tickets", 200): {"Link"},
        ("list_comments", 200): {"Link"},
        ("list_history", 200): {"Link"},
        ("put_ticket_by_external_id", 200): {"ETag"},
        ("put_ticket_by_external_id", 201): {"Location", "ETag"},
        ("list_tags", 200): {"Link"},
        ("create_field", 201): {"Location", "ETag"},
        ("get_field", 200): {"ETag"},
        ("change_field", 200): {"ETag"},
        ("change_field", 412): {"ETag"},
        ("create_sla_policy", 201): {"Location", "ETag"},
        ("get_sla_policy", 200): {"ETag"},
        ("change_sla_policy", 200): {"ETag"},
        ("change_sla_policy", 412): {"ETag"},
        ("create_calendar", 201): {"Location", "ETag"},
        ("get_calendar", 200): {"ETag"},
        ("change_calendar", 200): {"ETag"},
        ("change_calendar", 412): {"ETag"},
        ("take_ticket", 200): {"ETag"},
        ("release_ticket", 200): {"ETag"},
        **{
            (name, 412): {"ETag"}
            for name in (
                *("take_ticket", "release_ticket", "add_tag", "remove_tag", "add_participant", "remove_participant"),
                *("add_link", "remove_link", "merge_ticket", "undo_merge", "open_follow_up"),
            )
        },
        ("add_tag", 200): {"ETag"},
        ("remove_tag", 200): {"ETag"},
        ("add_participant", 200): {"ETag"},
        ("remove_participant", 200): {"ETag"},
        ("add_link", 200): {"ETag"},
        ("remove_link", 200): {"ETag"},
        ("merge_ticket", 200): {"ETag"},
        ("undo_merge", 201): {"Location", "ETag"},
        ("open_follow_up", 201): {"Location", "ETag", "Idempotent-Replayed"},
        ("open_follow_up", 409): {"Retry-After"},
        ("create_person", 201): {"Location", "ETag"},
        ("create_group", 201): {"Location", "ETag"},
        ("create_key", 201): {"Location"},
        ("create_webhook", 201): {"Location", "ETag"},
        ("create_rule", 201): {"Location", "ETag"},
        **{(name, 200): {"ETag"} for name in ("get_rule", "change_rule")},
        **{(name, 412): {"ETag"} for name in ("change_rule", "delete_rule")},
        **{(f"create_{name}", 201): {"Location", "ETag"} for name in ("view", "canned_reply")},
        **{(f"{verb}_{name}", 200): {"ETag"} for verb in ("get", "change") for name in ("view", "canned_reply")},
        **{(f"{verb}_{name}", 412): {"ETag"} for verb in ("change", "delete") for name in ("view", "canned_reply")},
        ("start_bulk_change", 202): {"Location", "Idempotent-Replayed"},
        ("start_bulk_change", 409): {"Retry-After"},
        ("list_canned_replies", 200): {"Link"},
        **{(name, 200): {"ETag"} for name in ("get_webhook", "change_webhook", "rotate_secret")},
        **{(name, 412): {"ETag"} for name in ("change_webhook", "delete_webhook", "rotate_secret")},
        ("list_deliveries", 200): {"Link"},
        ("start_replay", 202): {"Location"},
        **{
            (name, 200): {"ETag"}
            for name in (
                *("get_person", "change_person", "get_group", "change_group"),
                *("add_group_member", "remove_group_member"),
            )
        },
        **{(name, 200): {"Link"} for name in ("list_people", "list_groups", "list_keys", "list_reminders")},
        **{(name, 412): {"ETag"} for name in ("change_person", "change_group")},
        ("create_ticket", 409): {"Retry-After"},
        ("create_comment", 409): {"Retry-After"},
        ("change_ticket", 412): {"ETag"},
        ("create_comment", 412): {"ETag"},
        ("readyz", 503): set(),
    }
    for (name, status), headers in documented.items():
        own = expected.get((name, status), ON_STATUS.get(status, set()))
        is_limited = status not in WITHOUT_RATE_LIMIT and (name not in PROBES or status == 413)
        assert headers == {"X-Request-Id"} | own | (RATE_LIMIT if is_limited else set()), (name, status)


def test_every_request_header_is_documented_with_an_example(document: JSON) -> None:
    documented = {
        name: {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"}
        for name, operation in operations(document).items()
    }
    assert {name: headers for name, headers in documented.items() if headers} == {
        "create_ticket": {"Idempotency-Key"},
        "start_bulk_change": {"Idempotency-Key"},
        "create_comment": {"Idempotency-Key", "If-Match", "If-None-Match"},
        "change_ticket": {"If-Match", "If-None-Match"},
        "change_field": {"If-Match", "If-None-Match"},
        "rotate_secret": {"If-Match", "If-None-Match"},
        "change_sla_policy": {"If-Match", "If-None-Match"},
        "change_calendar": {"If-Match", "If-None-Match"},
        **{
            name: {"If-Match", "If-None-Match"}
            for name in (
                *("take_ticket", "release_ticket", "add_tag", "remove_tag", "add_participant", "remove_participant"),
                *("add_link", "remove_link", "merge_ticket", "undo_merge"),
            )
        },
        "open_follow_up": {"Idempotency-Key", "If-Match", "If-None-Match"},
        "get_ticket": {"If-None-Match", "Cache-Control"},
        "change_person": {"If-Match", "If-None-Match"},
        "change_group": {"If-Match", "If-None-Match"},
        "list_events": {"Last-Event-ID"},
        "list_ticket_events": {"Last-Event-ID"},
        "change_webhook": {"If-Match", "If-None-Match"},
        "delete_webhook": {"If-Match", "If-None-Match"},
        "change_rule": {"If-Match", "If-None-Match"},
        "delete_rule": {"If-Match", "If-None-Match"},
        **{
            f"{verb}_{name}": {"If-Match", "If-None-Match"}
            for verb in ("change", "delete")
            for name in ("view", "canned_reply")
        },
    }
    for operation in operations(document).values():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "header":
                assert parameter["schema"]["type"] == "string"
                assert parameter["schema"]["examples"]


@pytest.fixture
async def limited_settings(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[Settings]:
    async with migrated_database() as dsn:
        yield settings_for(dsn, *redis_address, rate_limit=f"{QUOTA}/3600s")


@pytest.fixture
async def mallory(limited_settings: Settings) -> dict[str, str]:
    """The credentials of a requester without tickets."""
    assert limited_settings.database_dsn is not None
    database = Database(limited_settings.database_dsn.get_secret_value(), pool_size=1)
    key, _ = await ApiKeys(database).create("mallory", Role.REQUESTER, "mallory@example.com")
    await database.close()
    return {"Authorization": f"Bearer {key}"}


async def test_every_response_sends_the_headers_that_it_documents(
    limited_settings: Settings, mallory: dict[str, str], document: JSON
) -> None:
    """Each documented status, of a service with a rate limit; 408, 421 and the probes' 503 are sent in other tests."""
    sent: dict[int, set[bool]] = {}

    def check(name: str, response: httpx2.Response) -> None:
        documented = resolved(document, operations(document)[name]["responses"][str(response.status_code)])["headers"]
        for header in set(document["components"]["headers"]) - {"Cache-Control"}:
            assert header not in response.headers or header in documented, (name, response.status_code, header)
        for header in documented:
            if resolved(document, documented[header]).get("required"):
                assert header in response.headers, (name, response.status_code, header)
        sent.setdefault(response.status_code, set()).add(set(map(_as_documented, response.headers)) >= RATE_LIMIT)

    async with running(limited_settings) as (app, client):
        for name, method, path, options in calls((await open_ticket(client))["id"], mallory):
            check(name, await client.request(method, path, **options))
        for error in (DatabaseUnavailable("away"), RuntimeError("broken")):
            app.state.lists = Failing(error)
            check("list_history", await client.get("/tickets/1/history"))
        for _ in range(QUOTA):
            last = await client.get("/workflow")
        check("get_workflow", last)
    without = {status for status, carried in sent.items() if True not in carried}
    assert without == {401, 406, 414, 431, 500}
    assert sent[413] == sent[200] == {True, False}  # a declared and a chunked length; a probe and the others
    assert sent.keys() == {200, 201, 304, 400, 401, 403, 404, 406, 409, 412, 413, 414, 415, 422, 429, 431, 500, 503}


def calls(ticket_id: int, mallory: dict[str, str]) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Return requests that together produce most of the documented statuses, as an operation and its parameters."""
    path = f"/tickets/{ticket_id}"
    comments = f"{path}/comments"
    json_body = {"Content-Type": "application/json"}

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 65_536

    return [
        ("create_ticket", "POST", "/tickets", {"json": a_ticket()}),
        ("list_tickets", "GET", "/tickets?limit=1", {}),
        ("get_ticket", "GET", path, {}),
        ("get_ticket", "GET", path, {"headers": {"If-None-Match": '"1"'}}),
        ("create_comment", "POST", comments, {"json": a_comment(status="answered")}),
        ("create_comment", "POST", comments, {"json": a_comment()}),
        ("list_comments", "GET", f"{comments}?limit=1", {}),
        ("list_history", "GET", f"{path}/history?limit=1", {}),
        ("get_workflow", "GET", "/workflow", {}),
        ("livez", "GET", "/livez", {}),
        ("readyz", "GET", "/readyz", {}),
        ("create_ticket", "POST", "/tickets", {"content": "{", "headers": json_body}),
        ("get_ticket", "GET", path, {"headers": {"Authorization": "Bearer unknown"}}),
        ("create_ticket", "POST", "/tickets", {"json": a_ticket(), "headers": mallory}),
        ("get_ticket", "GET", path, {"headers": mallory}),
        ("get_ticket", "GET", path, {"headers": {"Accept": "text/html"}}),
        ("change_ticket", "PATCH", path, {"json": {"status": "closed"}, "headers": {"If-Match": '"1"'}}),
        ("change_ticket", "PATCH", path, {"json": {"status": "closed"}}),
        ("change_ticket", "PATCH", path, {"json": {"status": "closed"}}),
        ("create_ticket", "POST", "/tickets", {"json": a_ticket(text="x" * 2**20)}),
        ("create_ticket", "POST", "/tickets", {"content": chunks(), "headers": json_body}),
        ("list_tickets", "GET", f"/tickets?email={'x' * 9000}", {}),
        ("create_ticket", "POST", "/tickets", {"content": "x", "headers": {"Content-Type": "text/plain"}}),
        ("list_tickets", "GET", "/tickets?limit=0", {}),
        ("list_tickets", "GET", "/tickets?cursor=x", {}),
        ("list_tickets", "GET", "/tickets", {"headers": {"X-Filler": "x" * 20_000}}),
    ]


class Failing:
    """A service whose history raises an error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def history(self, *_: object) -> None:
        raise self._error


def _as_documented(name: str) -> str:
    return {"ratelimit": "RateLimit", "ratelimit-policy": "RateLimit-Policy"}.get(name.lower(), name)
