"""Invalid credentials: every operation that requires credentials refuses them (401)."""

import json
from collections.abc import Awaitable, Callable, Iterable

import pytest

from hostile.conftest import MARK
from hostile.positions import in_credentials
from hostile.test_sql import FRAGMENTS
from hostile.test_values import IN_HEADERS, NOT_IN_HEADERS
from hostile.wire import Request, Response
from support.factories import JSON

Endure = Callable[[Iterable[Request]], Awaitable[list[Response]]]

# At most 8 KiB: longer headers are refused because of their length.
VALUES = {name: value for name, value in IN_HEADERS.items() if len(value) <= 8192} | {
    fragment: fragment.encode() for fragment in FRAGMENTS
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_invalid_credentials_are_refused(endure: Endure, document: JSON, value: bytes) -> None:
    for response in await endure(in_credentials(document, MARK + value)):
        assert_unauthenticated(response)


@pytest.mark.parametrize("value", NOT_IN_HEADERS.values(), ids=NOT_IN_HEADERS)
async def test_credentials_with_forbidden_characters_are_refused(endure: Endure, document: JSON, value: bytes) -> None:
    for response in await endure(in_credentials(document, MARK + value)):
        # uvicorn refuses invalid HTTP before the credentials are read.
        if response.status != 400:
            assert_unauthenticated(response)


async def test_empty_credentials_are_refused(endure: Endure, document: JSON) -> None:
    for response in await endure(in_credentials(document, b"")):
        assert_unauthenticated(response)


def assert_unauthenticated(response: Response) -> None:
    """Assert a 401 with the right problem and challenge; `assert_harmless` has checked that it repeats no input."""
    assert response.status == 401, response
    assert response.headers["www-authenticate"].startswith('Bearer realm="tickets", error="invalid_token"'), response
    assert json.loads(response.body)["type"] == "/problems/unauthenticated", response
