"""The metrics of several worker processes, collected in their parent.

It follows the workers through one connection each, which ends with its process however that ends. The counters of a
worker that ended stay, because a counter must not decrease; its gauges go. A worker that is killed loses what it
counted since the last collection, at most about five seconds.
"""

import asyncio
import json
import logging
import os
import shutil
import socket
import struct
import sys
import tempfile
import threading
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

from core.metric_families import Family, cumulative, exposition, families_of, merge
from core.metrics import OF_THE_LEADER, REGISTRY
from core.shared_metrics import FOLLOWER, JOIN, LEADER, LENGTH_BYTES, socket_path

# The metrics of 60 routes and statuses take a worker 4 ms.
COLLECT_EVERY_S: Final = 5
# A worker that does not respond in time is counted with its last values. uvicorn kills it after five seconds.
RESPONSE_TIMEOUT_S: Final = 1
_CREDENTIALS: Final = struct.Struct("3i")  # process, user and group

_log = logging.getLogger(__name__)


class MetricsCollector:
    """Listens on a socket from its creation on, and serves it in a thread from `start` to `close`.

    Raises OSError when no socket can be made.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        name = f"tickets-metrics-{os.urandom(16).hex()}"
        if sys.platform == "linux":
            self.address = name
        else:
            self._folder = Path(tempfile.mkdtemp(prefix="tickets-"))  # only this user can enter it
            self.address = str(self._folder / "metrics")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(socket_path(self.address))
        self._socket.listen()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._workers: list[_Worker] = []  # the first is the leader
        self._ended: list[Family] = []

    def start(self) -> None:
        """Start to serve the workers that have connected, and those that will."""
        self._thread = threading.Thread(target=self._run, name="metrics-collector", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and close the socket."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()
        self._loop.close()
        self._socket.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve_until_closing())

    async def _serve_until_closing(self) -> None:
        async with await asyncio.start_unix_server(self._serve, sock=self._socket):
            collection = asyncio.create_task(self._collect_regularly())
            await self._closing.wait()
            collection.cancel()

    async def _collect_regularly(self) -> None:
        while True:
            await asyncio.sleep(COLLECT_EVERY_S)
            try:
                await self._collect()
            except Exception:  # noqa: BLE001 - the next attempt may succeed
                _log.exception("cannot ask the workers for their metrics")

    async def _collect(self) -> None:
        """Ask each worker for its metrics, and return when all have responded or the time is over."""
        if requests := [self._request_from(worker) for worker in self._workers]:
            await asyncio.wait(requests, timeout=RESPONSE_TIMEOUT_S)

    def _request_from(self, worker: "_Worker") -> "asyncio.Future[None]":
        return worker.request(LEADER if worker is self._workers[0] else FOLLOWER)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            if _is_same_user(writer):
                await self._respond(reader, writer)
        except (OSError, IncompleteReadError):
            pass  # the other process ended
        except Exception:  # noqa: BLE001 - the collection from other workers goes on
            _log.exception("cannot collect the metrics of a worker")
        finally:
            writer.close()

    async def _respond(self, reader: StreamReader, writer: StreamWriter) -> None:
        if await reader.readexactly(1) == JOIN:
            await self._follow(_Worker(reader, writer))
        else:
            await self._collect()
            writer.write(self._exposition())
            await writer.drain()

    async def _follow(self, worker: "_Worker") -> None:
        self._workers.append(worker)
        self._request_from(worker)
        try:
            await worker.receive_all()
        finally:
            self._workers.remove(worker)
            self._ended = merge([self._ended, cumulative(worker.families)])
            if self._workers:
                self._request_from(self._workers[0])  # it may be the leader now

    def _exposition(self) -> bytes:
        own = cumulative(families_of(REGISTRY))
        families = merge([*(worker.families for worker in self._workers), self._ended, own], of_the_first=OF_THE_LEADER)
        return exposition(families, [worker.pid for worker in self._workers if worker.pid is not None])


class _Worker:
    """The connection to a worker, and its latest metrics."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._requests: deque[asyncio.Future[None]] = deque()
        self.pid: int | None = None
        self.families: list[Family] = []

    def request(self, role: bytes) -> asyncio.Future[None]:
        """Ask for the metrics. The future is done when they have arrived, or the connection has ended."""
        request = asyncio.get_running_loop().create_future()
        self._requests.append(request)
        self._writer.write(role)
        return request

    async def receive_all(self) -> None:
        """Receive the metrics until the connection ends."""
        try:
            while True:
                length = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES))
                if length:
                    content = json.loads(await self._reader.readexactly(length))
                    self.pid, self.families = content["pid"], content["families"]
                self._finish_request()
        finally:
            while self._requests:
                self._finish_request()

    def _finish_request(self) -> None:
        with suppress(IndexError, asyncio.InvalidStateError):  # the final values are not requested
            self._requests.popleft().set_result(None)


def _is_same_user(writer: StreamWriter) -> bool:
    """Return whether the other process has the user of this one; the name of the socket is no secret on Linux."""
    if sys.platform != "linux":
        return True
    credentials = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(credentials)
    return bool(user == os.getuid())
