"""Reads the whole body of a request before the request is processed, and refuses a slow upload (408).

A client that sends its body slowly therefore occupies no database connection and no lock. The time of the upload is not
counted against the deadline, which is for the work of the service.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.paths import PUBLIC
from api.problems.handlers import problem_response
from core import deadline

_BODY_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})


class RequestBodyMiddleware:
    """Reads a body within `timeout_s` seconds, until it exceeds `max_bytes`; FastAPI refuses a larger one (413)."""

    def __init__(self, app: ASGIApp, *, timeout_s: float, max_bytes: int) -> None:
        self._app = app
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process one request."""
        # Public paths take no body. Reading one would let unauthenticated clients occupy memory.
        if scope["type"] != "http" or not _has_body(scope) or scope["path"] in PUBLIC:
            await self._app(scope, receive, send)
            return
        began_at = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._timeout_s):
                messages = await self._read(receive)
        except TimeoutError:
            await problem_response(Request(scope), 408, {"Connection": "close"})(scope, receive, send)
            return
        if messages[-1]["type"] == "http.disconnect":
            return
        deadline.postpone(asyncio.get_running_loop().time() - began_at)
        await self._app(scope, replay(messages, receive), send)

    async def _read(self, receive: Receive) -> list[Message]:
        """Return the messages with the body; a body that is complete is in one message."""
        messages, size = [await receive()], 0
        while messages[-1].get("more_body"):
            size += len(messages[-1]["body"])
            if size > self._max_bytes:
                break
            messages.append(await receive())
        if len(messages) > 1 and messages[-1]["type"] == "http.request" and not messages[-1].get("more_body"):
            messages = [{**messages[0], "body": b"".join(each["body"] for each in messages), "more_body": False}]
        return messages


def replay(messages: list[Message], receive: Receive) -> Receive:
    """Return a `receive` that first returns the messages already read, then those of `receive`."""
    read: Iterator[Message] = iter(messages)

    async def receive_replayed() -> Message:
        for message in read:
            return message
        return await receive()

    return receive_replayed


def _has_body(scope: Scope) -> bool:
    return not _BODY_HEADERS.isdisjoint([name for name, _ in scope["headers"]])
