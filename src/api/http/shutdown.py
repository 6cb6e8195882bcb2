"""Graceful shutdown in two steps: first the service reports that it is not ready, then uvicorn stops accepting.

uvicorn stops accepting connections as soon as it receives a signal. Load balancers go on sending requests until their
next readiness check. So on SIGTERM, which process managers send, uvicorn stops only after a delay.
"""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn

from core.process import ShutdownState

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def graceful_shutdown(shutdown: ShutdownState, *, delay_s: float) -> Iterator[None]:
    """Replace uvicorn's signal handlers: a signal begins `shutdown`, the first SIGTERM stops uvicorn after `delay_s`.

    SIGINT (Ctrl-C) and a second signal stop it at once. Without a uvicorn that handles the signals, as in tests,
    nothing is replaced.
    """
    server = _server()
    if server is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def stop(signum: int, _frame: FrameType | None) -> None:
        is_first = not shutdown
        shutdown.begin()
        if is_first and signum == signal.SIGTERM and delay_s > 0:
            loop.call_soon_threadsafe(loop.call_later, delay_s, _exit, server)
        elif server.should_exit and signum == signal.SIGINT:
            server.force_exit = True
        else:
            _exit(server)

    for signum in _SIGNALS:
        signal.signal(signum, stop)
    # uvicorn itself restores the handlers that were there before its own.
    yield


def _server() -> uvicorn.Server | None:
    """Return the uvicorn server of this process. Undocumented: uvicorn's signal handler is a method of the server."""
    if threading.current_thread() is not threading.main_thread():
        return None
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if isinstance(server, uvicorn.Server) else None


def _exit(server: uvicorn.Server) -> None:
    # Not by uvicorn's own handler: after that, the signal kills the process at the end. A requested stop exits with 0.
    server.should_exit = True
