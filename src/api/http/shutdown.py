"""Ending in order: first nobody sends requests here any more, then nothing is accepted, then all is closed.

uvicorn stops accepting as soon as it is told to stop, while load balancers go on sending until they have seen that the
service is not ready. So SIGTERM, the signal of those who run it behind one, is answered in two steps.
"""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn

from core.shutdown import ShutdownState

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def graceful_shutdown(stopping: ShutdownState, *, delay_s: float) -> Iterator[None]:
    """Make the signals that stop uvicorn begin `stopping`, and the first SIGTERM stop uvicorn only after `delay_s`.

    Ctrl-C and a second signal stop it at once. Where no uvicorn handles the signals, as in tests, nothing is changed.
    """
    server = _server()
    if server is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def stop(signum: int, _frame: FrameType | None) -> None:
        is_first = not stopping
        stopping.begin()
        if is_first and signum == signal.SIGTERM and delay_s > 0:
            loop.call_soon_threadsafe(loop.call_later, delay_s, _exit, server)
        elif server.should_exit and signum == signal.SIGINT:
            server.force_exit = True
        else:
            _exit(server)

    for signum in _SIGNALS:
        signal.signal(signum, stop)
    # uvicorn puts back what was there before it.
    yield


def _server() -> uvicorn.Server | None:
    if threading.current_thread() is not threading.main_thread():
        return None
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if isinstance(server, uvicorn.Server) else None


def _exit(server: uvicorn.Server) -> None:
    # Not by uvicorn's own handler, which lets the signal kill the process in the end: to stop when told is status 0.
    server.should_exit = True
