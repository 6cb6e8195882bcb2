"""Each problem type has a page that describes it, and is sent as its example shows."""

import asyncio
import json
import re
from html import unescape
from html.parser import HTMLParser

import httpx2
import pytest

from api.problems.handlers import example
from api.problems.pages import page
from api.problems.problem_type import ProblemType
from api.problems.types import ALL_PROBLEM_TYPES, PROBLEM_TYPES, problem_type_for
from core.errors import ServiceError
from support.factories import JSON, a_comment, a_ticket, open_ticket, ticket_in

EVERY_TYPE = pytest.mark.parametrize("problem_type", ALL_PROBLEM_TYPES, ids=lambda each: each.slug)


@EVERY_TYPE
async def test_every_type_has_a_page_that_describes_it(client: httpx2.AsyncClient, problem_type: ProblemType) -> None:
    response = await client.get(problem_type.type)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    text = unescape(re.sub(r"<[^>]+>", "", response.text))
    for part in (
        problem_type.type,
        problem_type.title,
        str(problem_type.status),
        problem_type.detail.replace("`", ""),
        problem_type.remedy.replace("`", ""),
        *problem_type.headers,
    ):
        assert part in text
    (shown,) = re.findall(r"<pre>(.*)</pre>", response.text, re.DOTALL)
    assert json.loads(unescape(shown)) == example(problem_type)


@EVERY_TYPE
def test_every_remedy_is_a_full_text(problem_type: ProblemType) -> None:
    assert len(problem_type.remedy) > 60
    assert problem_type.remedy.endswith(".")


def test_stored_results_name_an_error_as_its_problem_type_does() -> None:
    codes = {kind.slug: error.code() for error, kind in PROBLEM_TYPES.items() if issubclass(error, ServiceError)}
    assert codes
    assert all(slug == code for slug, code in codes.items())


async def test_the_index_links_to_every_page(client: httpx2.AsyncClient) -> None:
    index = await client.get("/problems")
    addresses = re.findall(r'href="([^"]+)"', index.text)
    assert {f"/{address}" for address in addresses} == {problem_type.type for problem_type in ALL_PROBLEM_TYPES}
    back = re.findall(r'href="([^"]+)"', (await client.get(ALL_PROBLEM_TYPES[0].type)).text)
    assert str(httpx2.URL(f"http://tickets{ALL_PROBLEM_TYPES[0].type}").join(back[0])) == "http://tickets/problems"


async def test_an_unknown_page_is_not_found(client: httpx2.AsyncClient) -> None:
    for slug in ("no-such-problem", "<script>", "about:blank"):
        response = await client.get(f"/problems/{slug}", headers={"Accept": "text/html"})
        assert (response.status_code, response.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize("path", ["/problems", "/problems/ticket-closed", "/docs", "/openapi.json"])
async def test_pages_support_only_get_and_head(client: httpx2.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    refused = await client.post(path)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")


async def test_the_assets_of_redoc_are_not_served(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/docs/assets/swagger-ui-bundle.js")).status_code == 200
    assert (await client.get("/docs/assets/redoc.standalone.js")).status_code == 404


async def test_the_assets_of_the_pages_support_only_get_and_head(client: httpx2.AsyncClient) -> None:
    refused = await client.post("/docs/assets/swagger-ui.css")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_page_has_no_scripts_and_loads_nothing(client: httpx2.AsyncClient) -> None:
    for path in ("/problems", *(problem_type.type for problem_type in ALL_PROBLEM_TYPES)):
        response = await client.get(path)
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert not re.search(r"<script|\son\w+=|src=|<link|@import|url\(|https?://", response.text)
        assert_well_nested(response.text)


def test_the_texts_of_a_page_are_escaped() -> None:
    html = page(
        ProblemType(409, "a-slug", "<b>", "<i> & `<u>`", "<s>", extensions={"errors": [{"detail": "</pre><script>"}]})
    )
    assert not re.search("<(b|i|u|s|script)>", html)
    assert "&lt;i&gt; &amp; <code>&lt;u&gt;</code>" in html


def test_a_status_outside_of_the_table_has_no_type_of_its_own() -> None:
    assert (problem_type_for(418).type, problem_type_for(418).title) == ("about:blank", "I'm a Teapot")


async def test_the_examples_are_what_the_service_sends(client: httpx2.AsyncClient) -> None:
    """Sends a request for each problem type that a request alone can cause."""
    problems = [await problem_of(client, method, path, **options) for method, path, options in await causes(client)]
    problems.append(await in_progress(client))
    assert {problem["type"] for problem in problems} == {
        problem_type.type for problem_type in ALL_PROBLEM_TYPES
    } - NOT_CAUSED_HERE
    examples = {problem_type.type: example(problem_type) for problem_type in ALL_PROBLEM_TYPES}
    for problem in problems:
        occurrence = {name: problem[name] for name in ("instance", "request_id")}
        assert problem == examples[problem["type"]] | occurrence


# These need a fault, a limit, or a service that requires credentials; other tests cause them.
NOT_CAUSED_HERE = {
    f"/problems/{slug}"
    for slug in (
        "database-unavailable",
        "deadline-exceeded",
        "events-gone",
        "event-log-not-ready",
        "too-many-streams",
        "forbidden",
        "host-not-allowed",
        "internal-error",
        # these need an admin
        "delivery-not-found",
        "replay-not-found",
        "rule-not-found",
        "too-many-rules",
        "too-many-deliveries",
        "too-many-webhooks",
        "webhook-not-found",
        "already-exists",
        "group-not-found",
        "insufficient-scope",
        "invalid-reference",
        "key-not-created",
        "key-not-found",
        "last-admin",
        "issuer-unavailable",
        "malformed-request",
        "transfer-coding-not-supported",
        "outcome-unknown",
        "overloaded",
        "rate-limited",
        "request-timeout",
        "search-timeout",
        "already-assigned",
        "too-many-tags",
        "too-many-participants",
        "too-many-links",
        "merge-too-old",
        "too-many-fields",
        "policy-not-found",
        "too-many-policies",
        "calendar-not-found",
        "too-many-calendars",
        "invalid-calendar",
        "invalid-fields",
        "fields-required",
        "too-many-tickets",
        "bulk-run-not-found",
        "view-not-found",
        "too-many-views",
        "canned-reply-not-found",
        "too-many-canned-replies",
        # of no operation: drafts belong to pages
        "draft-not-found",
        "draft-changed",
        "draft-being-sent",
        "commented-meanwhile",
    )
}


async def causes(client: httpx2.AsyncClient) -> list[tuple[str, str, JSON]]:
    fresh, closed = await open_ticket(client), await ticket_in(client, "closed")
    path = f"/tickets/{fresh['id']}"
    await client.post("/tickets", json=a_ticket(), headers={"Idempotency-Key": "spent"})
    await client.post("/tickets", json=a_ticket(source="problems", external_id="1"))
    return [
        ("GET", f"/tickets/{2**63 - 1}", {}),
        ("GET", "/principals/key:no-one", {}),
        ("POST", f"/tickets/{closed['id']}/comments", {"json": a_comment()}),
        ("PATCH", path, {"json": {"status": "awaiting_reply"}}),
        ("PATCH", path, {"json": {"status": "closed"}, "headers": {"If-Match": '"7"'}}),
        ("GET", "/tickets", {"headers": {"Authorization": "Bearer unknown"}}),
        ("GET", "/tickets?cursor=x", {}),
        ("POST", "/tickets", {"json": a_ticket(subject="another"), "headers": {"Idempotency-Key": "spent"}}),
        ("POST", "/tickets", {"json": a_ticket(subject=" ")}),
        ("POST", "/tickets", {"content": "{", "headers": {"Content-Type": "application/json"}}),
        ("POST", "/tickets", {"json": a_ticket(source="problems", external_id="1")}),
        ("PUT", f"{path}/links/blocks/{fresh['id']}", {}),
        ("POST", f"{path}/merge", {"json": {"into": fresh["id"]}}),
        ("DELETE", f"{path}/merge", {}),
        ("POST", f"{path}/follow-ups", {"json": a_ticket()}),
        ("GET", f"{path}/reminder", {}),
        ("PUT", f"{path}/reminder", {"json": {"remind_at": "2020-01-01T00:00:00Z"}}),
        ("GET", "/fields/unknown", {}),
        ("GET", "/nothing", {}),
        ("DELETE", "/tickets", {}),
        ("GET", "/tickets", {"headers": {"Accept": "text/csv"}}),
        ("POST", "/tickets", {"json": a_ticket(text="x" * 2**20)}),
        ("GET", f"/tickets?email={'x' * 9000}", {}),
        ("POST", "/tickets", {"content": "subject=x", "headers": {"Content-Type": "text/plain"}}),
        ("GET", "/tickets", {"headers": {"X-Filler": "x" * 20_000}}),
    ]


async def problem_of(client: httpx2.AsyncClient, method: str, path: str, **options: object) -> JSON:
    response = await client.request(method, path, **options)  # type: ignore[arg-type] # any option of a request
    assert response.is_client_error, response.text
    problem: JSON = response.json()
    problem_type = next(problem_type for problem_type in ALL_PROBLEM_TYPES if problem_type.type == problem["type"])
    assert all(name in response.headers for name in problem_type.headers)
    return problem


async def in_progress(client: httpx2.AsyncClient) -> JSON:
    """Send concurrent copies of a request until one arrives while another is being processed."""
    for attempt in range(50):
        key = {"Idempotency-Key": f"at-once-{attempt}"}
        responses = await asyncio.gather(*(client.post("/tickets", json=a_ticket(), headers=key) for _ in range(8)))
        for response in responses:
            if response.status_code == 409:
                assert response.headers["Retry-After"]
                problem: JSON = response.json()
                return problem
    raise AssertionError("no request arrived while another was being processed")


def assert_well_nested(html: str) -> None:
    class Nesting(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - as HTMLParser calls it
            if tag != "meta":
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    nesting = Nesting()
    nesting.feed(html)
    assert nesting.open == []
