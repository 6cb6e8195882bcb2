"""Forms that arrive without a session: the page of the sign-in keeps their text.

Unauthenticated clients must not occupy memory: few of their larger bodies are read at once.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Receive

from core import deadline
from core.errors import Overloaded
from desk.forms import MAX_FIELDS

MAX_BYTES: Final = 1024 * 1024
SMALL_BYTES: Final = 16 * 1024
MAX_LARGE: Final = 16
_FORM: Final = "application/x-www-form-urlencoded"


class LargeBodies:
    """Limits the larger bodies of requests without a session that this process reads at once."""

    def __init__(self) -> None:
        self._count = 0

    @contextmanager
    def slot(self, headers: Headers) -> Iterator[None]:
        """Occupy a slot unless the body is small. Raises Overloaded if all are occupied."""
        length = headers.get("content-length", "")
        is_counted = length.isdecimal() and len(length) < 10 and "transfer-encoding" not in headers
        if is_counted and int(length) <= SMALL_BYTES:
            yield
            return
        if self._count >= MAX_LARGE:
            raise Overloaded("too many forms without a session are being read")
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1


async def read_form(headers: Headers, receive: Receive, *, timeout_s: float) -> str:
    """Return the form of a request as it was sent; empty for another body, and one that is too large or too slow."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return ""
    body, began_at = b"", asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > MAX_BYTES or message["type"] != "http.request":
                    return ""
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        return ""
    deadline.postpone(asyncio.get_running_loop().time() - began_at)
    return body.decode("ascii") if body.isascii() else ""


def fields_of(kept: str) -> Sequence[tuple[str, str]]:
    """Return the names and the values of a kept form; nothing of one that cannot be read."""
    try:
        return parse_qsl(kept, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        return ()
