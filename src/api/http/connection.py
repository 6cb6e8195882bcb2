"""The server's side of one connection: uvicorn's, with an end to the patience it has for slow clients.

uvicorn waits for ever for the rest of a head or a body and for who reads an answer, and holds a head of any size. Here
each of them has SLOW_CLIENT_TIMEOUT seconds. What comes in one piece, as nearly all does, needs no timer.
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
# A body of the greatest size takes six times as much when each of its chunks is one byte.
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
# The application refuses a slow body by itself; this is for what it does not read.
GRACE_S: Final = 1.0
# Who reads no more than this of an answer in SLOW_CLIENT_TIMEOUT seconds is left.
LEAST_READ_BYTES: Final = 16 * 1024


class _Part(IntEnum):
    NOTHING = 0
    HEAD = 1
    REST = 2


class Connection(HttpToolsProtocol):
    """A connection that is closed when its client keeps the service waiting, or sends a head without an end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self._timeout_s = _timeout_s()
        self._arriving = _Part.NOTHING
        self._awaited = _Part.NOTHING  # what the timer is for
        self._timer: asyncio.TimerHandle | None = None
        self._received = 0  # of the part that arrives, since the piece in which it began
        self._answers = 0
        self._unread: tuple[int, int] | None = None  # answers so far, and what of them was not read
        self._reader_timer: asyncio.TimerHandle | None = None
        self._answered: RequestResponseCycle | None = None
        self._held: tuple[RequestResponseCycle, ASGI3Application] | None = None  # waits until what came before is read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Wait for the first head."""
        super().connection_made(transport)
        self._await(_Part.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._await(_Part.NOTHING)
        # uvicorn tells the request that came last; when more than one came, another is being answered.
        if self._answered is not None and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()
        super().connection_lost(exc)
        self._forget_reader()

    def data_received(self, data: bytes) -> None:
        """Read what came, and wait for the rest if it was not all."""
        self._received += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        part = self._arriving
        if part is _Part.NOTHING:
            # Empty lines before a head are skipped, and would otherwise keep a connection for ever.
            if self.timeout_keep_alive_task is None and self._timer is None and self._is_idle():
                self._await(_Part.HEAD)
            return
        if part is _Part.HEAD and self._received > MAX_HEAD_BYTES:
            self._refuse(STATUS_PROBLEMS[431])
        elif self._received > MAX_MESSAGE_BYTES:
            self.transport.abort()
        elif part is not self._awaited:
            self._await(part)

    def on_message_begin(self) -> None:
        """Take note that a head began."""
        super().on_message_begin()
        self._arriving, self._received = _Part.HEAD, 0

    def on_headers_complete(self) -> None:
        """Take note that a head is there."""
        self._arriving, self._received = _Part.REST, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Take note that a request is there, whole."""
        super().on_message_complete()
        self._arriving = _Part.NOTHING
        if self._timer is not None:
            self._await(_Part.NOTHING)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """Refuse what is no HTTP."""
        self._refuse(MALFORMED)

    def pause_writing(self) -> None:
        """Wait for the reader of an answer."""
        super().pause_writing()
        self._forget_reader()
        self._await_reader(self._written_and_unread())

    def resume_writing(self) -> None:
        """Go on with an answer: its reader reads."""
        super().resume_writing()
        self._forget_reader()
        if self._held is not None:
            (cycle, app), self._held = self._held, None
            self.flow.resume_reading()
            self._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Look later whether the rest of an answer was read."""
        super().on_response_complete()
        self._answers += 1
        if self._reader_timer is None and self.transport.get_write_buffer_size():
            self._await_reader(None)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if self.flow.write_paused:  # who does not read gets no place for the next request
            self._held = cycle, app
            self.flow.pause_reading()
            return
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _await(self, part: _Part) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._awaited = part
        if part is not _Part.NOTHING:
            timeout_s = self._timeout_s + (GRACE_S if part is _Part.REST else 0)
            self._timer = self.loop.call_later(timeout_s, self._give_up)

    def _give_up(self) -> None:
        if self.flow.read_paused:  # it is us who do not read
            self._await(self._awaited)
        else:
            self.transport.abort()

    def _written_and_unread(self) -> tuple[int, int]:
        return self._answers, self.transport.get_write_buffer_size()

    def _await_reader(self, unread: tuple[int, int] | None) -> None:
        """Look again in a while; `unread` is what nobody may have read by then, None if that is not known yet."""
        self._unread = unread
        self._reader_timer = self.loop.call_later(self._timeout_s, self._look_at_reader)

    def _look_at_reader(self) -> None:
        self._reader_timer = None
        answers, unread = now = self._written_and_unread()
        if not unread:
            return
        if self._unread is not None and self._unread[0] == answers and self._unread[1] - unread < LEAST_READ_BYTES:
            self.transport.abort()
        else:
            self._await_reader(now)

    def _forget_reader(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _refuse(self, kind: ProblemType) -> None:
        """Answer what never became a request, if nothing else is being answered, and hang up."""
        if self._is_idle() and not self.transport.is_closing():
            request_id = secrets.token_hex(8)
            body = problem_body(kind, request_id)
            headers = [
                (b"content-type", MEDIA_TYPE.encode()),
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
                (REQUEST_ID_HEADER.lower().encode(), request_id.encode()),
            ]
            told = secured([*self.server_state.default_headers, *headers], {"path": "", "scheme": self.scheme})
            lines = b"".join(b"%s: %s\r\n" % header for header in told)
            self.transport.write(STATUS_LINE[kind.status] + lines + b"\r\n" + body)
        self.transport.close()


@cache
def _timeout_s() -> float:
    return Settings().slow_client_timeout
