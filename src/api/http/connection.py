"""The server's side of one connection: uvicorn's protocol class, with timeouts for slow clients.

uvicorn waits without limit for the rest of a request, and for a client that does not read its response, and accepts a
request head of any size. Here each of them has a limit of SLOW_CLIENT_TIMEOUT seconds or of some bytes. A request that
arrives in one piece, as nearly all do, starts no timer. uvicorn also closes the connection without a response if the
body of a request is malformed; here the request is refused.

`HttpToolsProtocol` is not a public interface of uvicorn. `tests/test_internals.py` names every attribute that is used.
"""

import asyncio
import secrets
import sys
from enum import IntEnum
from functools import cache
from typing import Any, Final

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from api.http.framing import RefusedHead, check_head
from api.middleware.request_id import REQUEST_ID_HEADER
from api.middleware.security_headers import secured
from api.problems.handlers import MEDIA_TYPE, problem_body
from api.problems.problem_type import ProblemType
from api.problems.server_types import MALFORMED
from api.problems.types import STATUS_PROBLEMS
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
        self._running: RequestResponseCycle = None  # type: ignore[assignment] # as uvicorn's `cycle`
        # The next request, while the responses before it are not read.
        self._deferred: tuple[RequestResponseCycle, ASGI3Application] | None = None
        self._refused: ProblemType | None = None  # of a request that is refused when those before it have responses

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
        """Check the request head, which is complete."""
        check_head(self.headers, is_http_1_0=self.parser.get_http_version() != "1.1")
        super().on_headers_complete()
        self._incomplete, self._received = _Part.BODY, 0

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        super().on_message_complete()
        self._incomplete = _Part.NONE
        if self._timer is not None:
            self._start_timer(_Part.NONE)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's text
        """Refuse a request that is not valid HTTP, with problem details in place of uvicorn's plain text."""
        error = sys.exception()  # uvicorn calls this while it handles the error of the parser
        cause = error.__context__ if error is not None else None
        self._refuse(cause.problem if isinstance(cause, RefusedHead) else MALFORMED)

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
        if self._refused is not None and self._is_idle():
            self._refuse(self._refused)
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
        """Send a problem response after the responses to earlier requests, and close the connection."""
        if self.transport.is_closing():
            return
        if self._incomplete is _Part.BODY:
            if self.cycle.response_started:  # the refused request has its response already
                self.transport.close()
                return
            self._withdraw_request()
        if not self._is_idle():
            self._refused = problem
            self.flow.pause_reading()
            return
        self._send_refusal(problem)
        self.transport.close()

    def _withdraw_request(self) -> None:
        """Withdraw the request that was received last: its response is discarded, or it is not processed at all."""
        self._incomplete = _Part.NONE
        if self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._running
            return
        self._deferred = None
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        self.cycle.response_complete = True

    def _send_refusal(self, problem: ProblemType) -> None:
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


@cache
def _timeout_s() -> float:
    return Settings().slow_client_timeout
