"""Limits of URI and headers, over a real socket: some are enforced by the server before the application."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from api.middleware.request_limits import MAX_HEADER_BYTES, MAX_TARGET_BYTES
from support.factories import JSON


def get(service_url: str, path: str, headers: dict[str, str] | None = None) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(service_url).netloc, timeout=20)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def assert_problem(response: http.client.HTTPResponse, body: bytes, status: int, slug: str) -> None:
    assert (response.status, response.headers["Content-Type"]) == (status, "application/problem+json"), body
    problem: JSON = json.loads(body)
    assert (problem["type"], problem["status"]) == (f"/problems/{slug}", status)
    assert problem["request_id"] == response.headers["X-Request-Id"]


def of_length(path: str, length: int) -> str:
    return path + "x" * (length - len(path.replace("?", "")))


@pytest.mark.parametrize("path", ["/tickets/", "/tickets?email=", "/", "/docs?"])
def test_a_uri_that_is_too_long_is_refused(service_url: str, path: str) -> None:
    response, body = get(service_url, of_length(path, MAX_TARGET_BYTES + 1))
    assert_problem(response, body, 414, "uri-too-long")
    assert response.headers["Connection"] == "close"


def test_the_length_of_a_uri_is_that_of_its_encoded_form(service_url: str) -> None:
    response, body = get(service_url, "/tickets/" + "%41" * (MAX_TARGET_BYTES // 3))
    assert_problem(response, body, 414, "uri-too-long")


def test_a_uri_of_the_maximum_length_is_accepted(service_url: str) -> None:
    response, body = get(service_url, of_length("/tickets?email=", MAX_TARGET_BYTES))
    assert_problem(response, body, 422, "invalid-request")


def test_a_uri_beyond_the_limit_of_the_server_is_refused(service_url: str) -> None:
    """At 64 KiB the parser of uvicorn fails: the response is a problem, and the service continues."""
    response, body = get(service_url, "/" + "x" * 65_536)
    assert_problem(response, body, 400, "malformed-request")
    assert get(service_url, "/livez")[0].status == 200


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
    response, body = get(service_url, "/tickets", headers)
    assert_problem(response, body, 431, "headers-too-large")
    assert response.headers["Connection"] == "close"


def test_headers_below_the_limit_are_accepted(service_url: str) -> None:
    assert get(service_url, "/tickets", {"X-Filler": "x" * (MAX_HEADER_BYTES - 1024)})[0].status == 200
