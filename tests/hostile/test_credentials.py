"""Invalid credentials: every operation that requires credentials refuses them (401)."""

import json
from collections.abc import Awaitable, Callable, Iterable

import pytest

from hostile.conftest import MARK
from hostile.places import in_credentials
from hostile.test_sql import FRAGMENTS
from hostile.test_values import IN_HEADERS, NOT_IN_HEADERS
from hostile.wire import Answer, Request
from support.factories import JSON

Endure = Callable[[Iterable[Request]], Awaitable[list[Answer]]]

# At most 8 KiB: longer headers are refused because of their length.
VALUES = {name: value for name, value in IN_HEADERS.items() if len(value) <= 8192} | {
    fragment: fragment.encode() for fragment in FRAGMENTS
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_invalid_credentials_are_refused(endure: Endure, document: JSON, value: bytes) -> None:
    for answer in await endure(in_credentials(document, MARK + value)):
        assert_unauthenticated(answer)


@pytest.mark.parametrize("value", NOT_IN_HEADERS.values(), ids=NOT_IN_HEADERS)
async def test_credentials_with_forbidden_characters_are_refused(endure: Endure, document: JSON, value: bytes) -> None:
    for answer in await endure(in_credentials(document, MARK + value)):
        # uvicorn refuses invalid HTTP before the credentials are read.
        if answer.status != 400:
            assert_unauthenticated(answer)


async def test_empty_credentials_are_refused(endure: Endure, document: JSON) -> None:
    for answer in await endure(in_credentials(document, b"")):
        assert_unauthenticated(answer)


def assert_unauthenticated(answer: Answer) -> None:
    """Assert a 401 with the right problem and challenge; `assert_harmless` has checked that it repeats no input."""
    assert answer.status == 401, answer
    assert answer.headers["www-authenticate"].startswith('Bearer realm="tickets", error="invalid_token"'), answer
    assert json.loads(answer.body)["type"] == "/problems/unauthenticated", answer
