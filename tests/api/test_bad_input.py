"""Invalid requests: each receives a problem that locates the error, never a 500, and no part of the input."""

import json
from typing import Any

import httpx2
import pytest

from support.factories import a_comment, a_ticket, open_ticket

MARK = "do-not-repeat-me"

BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"subject": ""}, "#/subject"),
    ({"subject": " \t\n\u2003"}, "#/subject"),
    ({"subject": "\u200b\u2060\ufeff"}, "#/subject"),
    ({"subject": "x" * 256}, "#/subject"),
    ({"subject": None}, "#/subject"),
    ({"subject": 5}, "#/subject"),
    ({"subject": [MARK]}, "#/subject"),
    ({"subject": {"a": MARK}}, "#/subject"),
    ({"subject": f"{MARK}\0"}, "#/subject"),
    ({"subject": f"{MARK}\ud800"}, "#/subject"),
    ({"text": ""}, "#/text"),
    ({"text": "x" * 65_537}, "#/text"),
    ({"text": f"{MARK}\0"}, "#/text"),
    ({"text": f"\udfff{MARK}"}, "#/text"),
    ({"email": MARK}, "#/email"),
    ({"email": f"{MARK}@"}, "#/email"),
    ({"email": f"{MARK}@localhost"}, "#/email"),
    ({"email": f"Mark <{MARK}@example.com>"}, "#/email"),
    ({"email": f"{MARK}@example.com\nBcc: {MARK}"}, "#/email"),
    ({"email": f"{'x' * 250}@example.com"}, "#/email"),
    ({"email": f"{MARK}\0@example.com"}, "#/email"),
    ({"email": f"{MARK}\ud800@example.com"}, "#/email"),
    ({"extra": MARK}, "#/extra"),
    ({f"<{MARK}>": 1}, "#"),
    ({f"{MARK}\ud800": 1}, "#"),
]


@pytest.mark.parametrize(("fields", "pointer"), BAD_FIELDS)
async def test_the_problem_points_at_an_invalid_field(
    client: httpx2.AsyncClient, fields: dict[str, Any], pointer: str
) -> None:
    response = await post(client, "/tickets", json.dumps(a_ticket(**fields)))
    problem = assert_problem(response, 422, "invalid-request")
    assert pointer in [part["pointer"] for part in problem["errors"]]


@pytest.mark.parametrize("missing", ["subject", "text", "email"])
async def test_the_problem_points_at_a_missing_field(client: httpx2.AsyncClient, missing: str) -> None:
    body = {name: value for name, value in a_ticket().items() if name != missing}
    problem = assert_problem(await client.post("/tickets", json=body), 422, "invalid-request")
    assert [part["pointer"] for part in problem["errors"]] == [f"#/{missing}"]


@pytest.mark.parametrize(
    "patch", [{}, {"status": "reopened"}, {"status": None}, {"subject": None}, {"email": "a@example.com"}, {"id": 1}]
)
async def test_an_invalid_patch_is_refused(client: httpx2.AsyncClient, patch: dict[str, Any]) -> None:
    ticket = await open_ticket(client)
    assert_problem(await client.patch(f"/tickets/{ticket['id']}", json=patch), 422, "invalid-request")


@pytest.mark.parametrize("fields", [{"text": " "}, {"email": "nobody"}, {"status": "nonsense"}, {"author": MARK}])
async def test_an_invalid_comment_is_refused(client: httpx2.AsyncClient, fields: dict[str, Any]) -> None:
    ticket = await open_ticket(client)
    response = await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment(**fields))
    assert_problem(response, 422, "invalid-request")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f'{{"subject": "{MARK}', id="cut off"),
        pytest.param(MARK, id="not JSON"),
        pytest.param(f'{{"subject": "{MARK}\xff"}}'.encode("latin-1"), id="invalid UTF-8"),
        pytest.param("[" * 32, id="nested and cut off"),
        pytest.param("9" * 100_000, id="a number of 100,000 digits"),
    ],
)
async def test_a_body_that_is_not_json_is_refused(client: httpx2.AsyncClient, body: str | bytes) -> None:
    assert_problem(await post(client, "/tickets", body), 400, "malformed-json")


@pytest.mark.parametrize("body", ["[" * 100_000, "[" * 33 + "]" * 33, f'{{"subject": [{"0," * 1000}0]}}'])
async def test_json_that_is_too_complex_is_refused_before_it_is_parsed(client: httpx2.AsyncClient, body: str) -> None:
    problem = assert_problem(await post(client, "/tickets", body), 422, "invalid-request")
    detail = "must have at most 1,000 members, nested at most 32 deep"
    assert problem["errors"] == [{"detail": detail, "pointer": "#"}]


@pytest.mark.parametrize("body", ["null", "[]", '"text"', "1e400", "NaN", "true"])
async def test_json_other_than_an_object_is_refused(client: httpx2.AsyncClient, body: str) -> None:
    assert_problem(await post(client, "/tickets", body), 422, "invalid-request")


async def test_a_missing_body_is_refused(client: httpx2.AsyncClient) -> None:
    assert_problem(await client.post("/tickets"), 422, "invalid-request")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense", ""])
async def test_a_body_with_another_content_type_is_refused(client: httpx2.AsyncClient, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    response = await client.post("/tickets", content=json.dumps(a_ticket()), headers=headers)
    assert_problem(response, 415, "unsupported-media-type")


@pytest.mark.parametrize("declared", [True, False], ids=["with Content-Length", "chunked"])
async def test_a_body_over_one_mebibyte_is_refused(client: httpx2.AsyncClient, *, declared: bool) -> None:
    body = json.dumps(a_ticket(text=MARK * 100_000)).encode()

    async def chunks() -> Any:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    response = await post(client, "/tickets", body if declared else chunks())
    assert_problem(response, 413, "content-too-large")


@pytest.mark.parametrize(
    "ticket_id",
    [
        "0",
        "-1",
        str(2**63),
        "9" * 5000,
        "abc",
        "1.5",
        "%00",
        "%ED%A0%80",
        "1e3",
        "+1",
        "1_0",
        "01",
        "%201",
        "1%0A",
        "%D9%A1",
    ],
)
@pytest.mark.parametrize("path", ["", "/comments"])
async def test_an_invalid_id_is_refused(client: httpx2.AsyncClient, ticket_id: str, path: str) -> None:
    response = await client.get(f"/tickets/{ticket_id}{path}")
    problem = assert_problem(response, 422, "invalid-request")
    assert [part["parameter"] for part in problem["errors"]] == ["ticket_id"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("limit=1.0", "limit"),
        (f"page={MARK}", "page"),
        (f"cursor={'x' * 513}", "cursor"),
    ],
)
async def test_an_invalid_query_is_refused(client: httpx2.AsyncClient, query: str, parameter: str) -> None:
    problem = assert_problem(await client.get(f"/tickets?{query}"), 422, "invalid-request")
    assert [part["parameter"] for part in problem["errors"]] == [parameter]


@pytest.mark.parametrize("cursor", [MARK, "", "%00", "AAAA", "eyJpZCI6MH0", "WyJ0aWNrZXRzIiwgMF0", "W10", "Iv__Ig"])
@pytest.mark.parametrize("path", ["/tickets", "/tickets/1/comments"])
async def test_a_cursor_that_was_not_issued_is_refused(client: httpx2.AsyncClient, path: str, cursor: str) -> None:
    await open_ticket(client)
    assert_problem(await client.get(f"{path}?cursor={cursor}"), 422, "invalid-cursor")


async def test_a_cursor_of_another_list_is_refused(client: httpx2.AsyncClient) -> None:
    ticket, other = await open_ticket(client), await open_ticket(client)
    for _ in range(2):
        await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment())
    for path in ("/tickets", f"/tickets/{ticket['id']}/comments"):
        cursor = (await client.get(f"{path}?limit=1")).json()["next_cursor"]
        assert_problem(await client.get(f"/tickets/{other['id']}/comments?cursor={cursor}"), 422, "invalid-cursor")


async def test_an_unknown_path_is_a_problem(client: httpx2.AsyncClient) -> None:
    assert_problem(await client.get(f"/{MARK}"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/tickets/1", "GET, HEAD, PATCH"),
        ("PUT", "/tickets", "GET, HEAD, POST"),
        ("OPTIONS", "/tickets/1/comments", "GET, HEAD, POST"),
        ("POST", "/workflow", "GET, HEAD"),
    ],
)
async def test_an_unsupported_method_is_refused_with_the_supported_ones(
    client: httpx2.AsyncClient, method: str, path: str, allowed: str
) -> None:
    refused = await client.request(method, path)
    assert_problem(refused, 405, "method-not-allowed")
    assert refused.headers["Allow"] == allowed


@pytest.mark.parametrize("accept", ["text/html", "application/xml, text/*", "application/jsonl"])
async def test_a_request_that_does_not_accept_json_is_refused(client: httpx2.AsyncClient, accept: str) -> None:
    assert_problem(await client.get("/tickets", headers={"Accept": accept}), 406, "not-acceptable")


async def post(client: httpx2.AsyncClient, path: str, content: Any) -> httpx2.Response:
    return await client.post(path, content=content, headers={"Content-Type": "application/json"})


def assert_problem(response: httpx2.Response, status: int, slug: str) -> dict[str, Any]:
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json"), (
        response.text
    )
    assert MARK not in response.text
    problem: dict[str, Any] = response.json()
    assert (problem["status"], problem["type"]) == (status, f"/problems/{slug}")
    assert problem["request_id"] == response.headers["X-Request-Id"]
    assert problem["title"]
    assert problem["detail"]
    return problem
