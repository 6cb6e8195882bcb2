"""Connects to the primary among several hosts, some of which may be unreachable."""

import asyncio
from typing import Any, Final

import asyncpg
from asyncpg.exceptions import InternalClientError, PostgresError

from db.postgres.session import Session
from db.postgres.statements import Row

# How long only the latest primary is tried before the other hosts are tried too.
HEAD_START_S: Final = 0.5

_Host = tuple[str, int]


class PrimaryFinder:
    """Tries the hosts concurrently, where the driver tries one after the other, and remembers the latest primary."""

    def __init__(self) -> None:
        self._latest: _Host | None = None

    async def connect(self, **options: Any) -> Session:  # noqa: ANN401 - options of the driver
        """Return a session on a host that satisfies `target_session_attrs`.

        Raises the most informative error of the hosts.
        """
        hosts = options.pop("host", None)
        ports = options.pop("port", None)
        if not isinstance(hosts, (list, tuple)):
            return await _session((hosts, ports), options)
        known = list(zip(hosts, ports, strict=True))
        first = self._latest if self._latest in known else known[0]
        attempts = {asyncio.create_task(_session(first, options)): first}
        chosen = None
        try:
            await asyncio.wait(attempts, timeout=HEAD_START_S)
            if not any(_succeeded(attempt) for attempt in attempts):
                attempts |= {asyncio.create_task(_session(host, options)): host for host in known if host != first}
            chosen = await self._first_of(attempts)
            return chosen
        finally:
            for attempt in attempts:
                if not attempt.cancel() and _succeeded(attempt) and attempt.result() is not chosen:
                    attempt.result().terminate()

    async def _first_of(self, attempts: dict[asyncio.Task[Session], _Host]) -> Session:
        pending = set(attempts)
        while True:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                if _succeeded(attempt):
                    self._latest = attempts[attempt]
                    return attempt.result()
            if not pending:
                raise max((_error_of(attempt) for attempt in attempts), key=_informativeness)


async def _session(host: tuple[str | None, int | None], options: dict[str, Any]) -> Session:
    name, port = host
    session: Session = await asyncpg.connect(
        host=name, port=port, connection_class=Session, record_class=Row, **options
    )
    return session


def _succeeded(attempt: asyncio.Task[Session]) -> bool:
    return attempt.done() and not attempt.cancelled() and attempt.exception() is None


def _error_of(attempt: asyncio.Task[Session]) -> BaseException:
    return attempt.exception() or OSError("no response")


def _informativeness(error: BaseException) -> int:
    """Rank an error of the server above one of the driver, and that above a missing response."""
    return 2 if isinstance(error, PostgresError) else 1 if isinstance(error, InternalClientError) else 0
