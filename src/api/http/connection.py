"""The server's side of one connection: uvicorn's protocol class, with timeouts for slow clients.

uvicorn waits without limit for the rest of a request, and for a client that does not read its response, and accepts a
request head of any size. Here each of them has a limit of SLOW_CLIENT_TIMEOUT seconds or of some bytes. A request that
arrives in one piece, as nearly all do, starts no timer.

`HttpToolsProtocol` is not a public interface of uvicorn. `tests/test_internals.py` names every attribute that is used.
"""

import asyncio
import secrets
from enum import IntEnum
from functools import cache
from typing import Any, Final

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from api.middleware.request_id import REQUEST_ID_HEADER
from api.middleware.security_headers import secured
from api.problems.handlers import MEDIA_TYPE, problem_body
from api.problems.types import MALFORMED, STATUS_PROBLEMS, ProblemType
from core.settings import Settings

MAX_HEAD_BYTES: Final = 64 * 1024
# A body of the maximum size takes six times as many bytes when each chunk holds one byte.
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
# The application itself refuses a slow body (408). This additional time is for a body that it does not read.
GRACE_S: Final = 1.0
# A client that reads less than this of a response in SLOW_CLIENT_TIMEOUT seconds is disconnected.
MIN_READ_BYTES: Final = 16 * 1024


class _Part(IntEnum):
    """The part of a request that is still incomplete."""

    NONE = 0
    HEAD = 1
    BODY = 2


class Connection(HttpToolsProtocol):
    """A connection that closes when its client is too slow, or sends a request head that is too large."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's signature
        super().__init__(*args, **kwargs)
        self._timeout_s = _timeout_s()
        self._incomplete = _Part.NONE
        self._timed = _Part.NONE  # the part that the timer is for
        self._timer: asyncio.TimerHandle | None = None
        self._received = 0  # bytes of the incomplete part, counted from the start of the packet in which it began
        self._responses = 0
        self._unread: tuple[int, int] | None = None  # completed responses, and bytes that the client had not read
        self._read_timer: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        # The next request, while the responses before it are not read.
        self._deferred: tuple[RequestResponseCycle, ASGI3Application] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Start the timer for the first request head."""
        super().connection_made(transport)
        self._start_timer(_Part.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers, and notify the running request."""
        self._start_timer(_Part.NONE)
        # uvicorn notifies the request that was received last. With pipelining, the running request is an earlier one.
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)
        self._cancel_read_timer()

    def data_received(self, data: bytes) -> None:
        """Parse a packet, and start a timer if it leaves a request incomplete."""
        self._received += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        part = self._incomplete
        if part is _Part.NONE:
            # The parser skips empty lines before a head. Without a timer they would keep a connection open without
            # limit.
            if self.timeout_keep_alive_task is None and self._timer is None and self._is_idle():
                self._start_timer(_Part.HEAD)
            return
        if part is _Part.HEAD and self._received > MAX_HEAD_BYTES:
            self._refuse(STATUS_PROBLEMS[431])
        elif self._received > MAX_MESSAGE_BYTES:
            self.transport.abort()
        elif part is not self._timed:
            self._start_timer(part)

    def on_message_begin(self) -> None:
        """Note that a request head has begun."""
        super().on_message_begin()
        self._incomplete, self._received = _Part.HEAD, 0

    def on_headers_complete(self) -> None:
        """Note that the request head is complete."""
        self._incomplete, self._received = _Part.BODY, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        super().on_message_complete()
        self._incomplete = _Part.NONE
        if self._timer is not None:
            self._start_timer(_Part.NONE)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's text
        """Refuse a request that is not valid HTTP, with problem details in place of uvicorn's plain text."""
        self._refuse(MALFORMED)

    def pause_writing(self) -> None:
        """Start the timer for the client to read: the write buffer is full."""
        super().pause_writing()
        self._cancel_read_timer()
        self._start_read_timer(self._progress())

    def resume_writing(self) -> None:
        """Continue writing, and start the deferred request: the client has read."""
        super().resume_writing()
        self._cancel_read_timer()
        if self._deferred is not None:
            (cycle, app), self._deferred = self._deferred, None
            self.flow.resume_reading()
            self._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Start the timer for the client to read the rest of the response."""
        super().on_response_complete()
        self._responses += 1
        if self._read_timer is None and self.transport.get_write_buffer_size():
            self._start_read_timer(None)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if self.flow.write_paused:  # a client that does not read its responses occupies no slot for its next request
            self._deferred = cycle, app
            self.flow.pause_reading()
            return
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _start_timer(self, part: _Part) -> None:
        """Replace the timer by one for a part of a request, or by none."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timed = part
        if part is not _Part.NONE:
            timeout_s = self._timeout_s + (GRACE_S if part is _Part.BODY else 0)
            self._timer = self.loop.call_later(timeout_s, self._time_out)

    def _time_out(self) -> None:
        if self.flow.read_paused:  # the service does not read, so the client can not send
            self._start_timer(self._timed)
        else:
            self.transport.abort()

    def _progress(self) -> tuple[int, int]:
        return self._responses, self.transport.get_write_buffer_size()

    def _start_read_timer(self, unread: tuple[int, int] | None) -> None:
        """Check the progress of the client after the timeout; `unread` is its progress now, None if it is unknown."""
        self._unread = unread
        self._read_timer = self.loop.call_later(self._timeout_s, self._check_reader)

    def _check_reader(self) -> None:
        self._read_timer = None
        responses, unread = now = self._progress()
        if not unread:
            return
        if self._unread is not None and self._unread[0] == responses and self._unread[1] - unread < MIN_READ_BYTES:
            self.transport.abort()
        else:
            self._start_read_timer(now)

    def _cancel_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _refuse(self, problem: ProblemType) -> None:
        """Send a problem response unless another response is in progress, and close the connection."""
        if self._is_idle() and not self.transport.is_closing():
            request_id = secrets.token_hex(8)
            body = problem_body(problem, request_id)
            headers = [
                (b"content-type", MEDIA_TYPE.encode()),
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
                (REQUEST_ID_HEADER.lower().encode(), request_id.encode()),
            ]
            headers = secured([*self.server_state.default_headers, *headers], {"path": "", "scheme": self.scheme})
            lines = b"".join(b"%s: %s\r\n" % header for header in headers)
            self.transport.write(STATUS_LINE[problem.status] + lines + b"\r\n" + body)
        self.transport.close()


@cache
def _timeout_s() -> float:
    return Settings().slow_client_timeout
