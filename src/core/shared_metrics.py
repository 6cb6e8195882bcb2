"""The metrics of several worker processes, seen from a worker.

Each worker counts in its own memory. The parent process collects the values of all workers over a socket (see
`core.metrics_collector`), so `/metrics` of every worker exposes the sum. No file is involved: a full disk neither stops
a worker nor falsifies a count. Without a parent that collects, a process exposes its own values.
"""

import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from core.metric_families import exposition, families_of
from core.metrics import REGISTRY

VARIABLE: Final = "TICKETS_METRICS_SOCKET"
"""The environment variable with the address of the parent's socket; see `socket_path`."""

# The protocol. A connection begins with one byte. JOIN: the parent then sends LEADER or FOLLOWER each time it wants the
# metrics, and the worker sends a length and JSON. GATHER: the parent sends the exposition and closes.
JOIN: Final = b"J"
GATHER: Final = b"G"
LEADER: Final = b"L"
FOLLOWER: Final = b"F"
LENGTH_BYTES: Final = 4

GATHER_TIMEOUT_S: Final = 5
LEAVE_TIMEOUT_S: Final = 2

_log = logging.getLogger(__name__)


def socket_path(address: str) -> str:
    """Return the path of the socket: a name outside of the file system on Linux, a path elsewhere."""
    return address if address.startswith("/") else f"\0{address}"


def is_leader() -> bool:
    """Return whether this process updates the metrics that describe all processes; after its end another does."""
    return _membership is None or _membership.is_leader


def gather() -> bytes:
    """Return the metrics of all workers in the text format of Prometheus. Raises OSError.

    It raises, and does not return the values of this process alone, because a counter must not decrease.
    """
    address = os.environ.get(VARIABLE)
    if address is None:
        return exposition(families_of(REGISTRY), [os.getpid()])
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(GATHER_TIMEOUT_S)
        connection.connect(socket_path(address))
        connection.sendall(GATHER)
        parts = []
        while part := connection.recv(1 << 16):
            parts.append(part)
    if not parts:
        raise ConnectionResetError("the parent process sent no metrics")
    return b"".join(parts)


@contextmanager
def shared() -> Iterator[None]:
    """Let the parent process collect the metrics of this process, if it collects any."""
    global _membership  # noqa: PLW0603 - there is one for each process
    if address := os.environ.get(VARIABLE):
        try:
            _membership = _Membership(socket_path(address))
        except OSError as error:
            _log.warning("cannot share the metrics of this process: %s", error)
    try:
        yield
    finally:
        if _membership is not None:
            _membership.leave()


class _Membership:
    """The connection on which the parent asks for the metrics. A thread responds, also while the event loop is busy."""

    def __init__(self, path: str) -> None:
        self.is_leader = False
        self._sending = threading.Lock()
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(path)
        self._connection.sendall(JOIN)
        threading.Thread(target=self._respond, name="shared-metrics", daemon=True).start()

    def leave(self) -> None:
        """Send the final values. The parent keeps the counters of a process that ended."""
        if self._sending.acquire(timeout=LEAVE_TIMEOUT_S):
            with suppress(OSError):
                self._connection.settimeout(LEAVE_TIMEOUT_S)
                self._connection.sendall(_message())
                self._connection.shutdown(socket.SHUT_RDWR)
            # Not released: nothing may follow the final values.

    def _respond(self) -> None:
        try:
            with self._connection:
                while request := self._connection.recv(1):
                    self.is_leader = request == LEADER
                    with self._sending:
                        self._connection.sendall(_message_or_nothing())
        except OSError as error:
            _log.warning("the metrics of this process are no longer collected: %s", error)


_membership: _Membership | None = None


def _message_or_nothing() -> bytes:
    try:
        return _message()
    except Exception:  # noqa: BLE001 - a later attempt may succeed
        _log.exception("cannot read the metrics of this process")
        return bytes(LENGTH_BYTES)


def _message() -> bytes:
    content = json.dumps({"pid": os.getpid(), "families": families_of(REGISTRY)}).encode()
    return len(content).to_bytes(LENGTH_BYTES) + content
