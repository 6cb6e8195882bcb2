"""What the server hands on and what it refuses itself is only seen on a real socket."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from api.middleware.request_limits import MAX_ADDRESS_BYTES, MAX_HEADER_BYTES
from support.factories import JSON


def ask(service_url: str, path: str, headers: dict[str, str] | None = None) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(service_url).netloc, timeout=20)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def assert_problem(answer: http.client.HTTPResponse, body: bytes, status: int, slug: str) -> None:
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json"), body
    problem: JSON = json.loads(body)
    assert (problem["type"], problem["status"]) == (f"/problems/{slug}", status)
    assert problem["request_id"] == answer.headers["X-Request-Id"]


def of_length(path: str, length: int) -> str:
    return path + "x" * (length - len(path.replace("?", "")))


@pytest.mark.parametrize("path", ["/tickets/", "/tickets?email=", "/", "/docs?"])
def test_an_address_that_is_too_long_is_refused(service_url: str, path: str) -> None:
    answer, body = ask(service_url, of_length(path, MAX_ADDRESS_BYTES + 1))
    assert_problem(answer, body, 414, "uri-too-long")
    assert answer.headers["Connection"] == "close"


def test_an_address_counts_as_it_was_sent(service_url: str) -> None:
    answer, body = ask(service_url, "/tickets/" + "%41" * (MAX_ADDRESS_BYTES // 3))
    assert_problem(answer, body, 414, "uri-too-long")


def test_an_address_of_the_greatest_length_is_read(service_url: str) -> None:
    answer, body = ask(service_url, of_length("/tickets?email=", MAX_ADDRESS_BYTES))
    assert_problem(answer, body, 422, "invalid-request")


def test_an_address_that_the_server_can_not_hold_is_refused_by_the_server(service_url: str) -> None:
    """At 64 KiB uvicorn's parser gives up: a clean 400, and the service goes on."""
    answer, body = ask(service_url, "/" + "x" * 65_536)
    assert_problem(answer, body, 400, "malformed-request")
    assert ask(service_url, "/livez")[0].status == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-Filler": "x" * MAX_HEADER_BYTES}, id="one large"),
        pytest.param({f"X-Filler-{number}": "x" * 500 for number in range(40)}, id="many small"),
        pytest.param({"X" * MAX_HEADER_BYTES: "a long name"}, id="a long name"),
        pytest.param({"If-None-Match": '"1",' * (MAX_HEADER_BYTES // 4)}, id="one that is read"),
    ],
)
def test_headers_that_are_too_large_are_refused(service_url: str, headers: dict[str, str]) -> None:
    answer, body = ask(service_url, "/tickets", headers)
    assert_problem(answer, body, 431, "headers-too-large")
    assert answer.headers["Connection"] == "close"


def test_headers_of_some_size_are_read(service_url: str) -> None:
    assert ask(service_url, "/tickets", {"X-Filler": "x" * (MAX_HEADER_BYTES - 1024)})[0].status == 200
