"""Reads the whole body of a request before the request is carried out, and refuses a slow upload (408).

A client that sends a body slowly therefore holds no database connection and no lock.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.paths import OPEN
from api.problems.handlers import problem_response

_WITH_BODY: Final = (b"content-length", b"transfer-encoding")


class RequestBodyMiddleware:
    """Reads a body within `timeout_s` seconds, up to a little over `max_bytes`; what is larger the routes refuse."""

    def __init__(self, app: ASGIApp, *, timeout_s: float, max_bytes: int) -> None:
        self._app = app
        self._timeout_s = timeout_s
        self._most_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        # What is open to all takes no body: none is kept for nobody known.
        if scope["type"] != "http" or not _has_body(scope) or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                messages = await self._read(receive)
        except TimeoutError:
            await problem_response(Request(scope), 408, {"Connection": "close"})(scope, receive, send)
            return
        if messages[-1]["type"] == "http.disconnect":
            return
        await self._app(scope, _again(messages, receive), send)

    async def _read(self, receive: Receive) -> list[Message]:
        messages, size = [await receive()], 0
        while messages[-1].get("more_body"):
            size += len(messages[-1]["body"])
            if size > self._most_bytes:
                break
            messages.append(await receive())
        return messages


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Return a `receive` that gives what was read before what is still to come."""
    read: Iterator[Message] = iter(messages)

    async def receive_again() -> Message:
        for message in read:
            return message
        return await receive()

    return receive_again


def _has_body(scope: Scope) -> bool:
    return any(name in _WITH_BODY for name, _ in scope["headers"])
