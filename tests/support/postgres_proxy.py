"""A proxy that reads PostgreSQL's protocol and withholds the COMMIT of one transaction, or the response to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from support.tcp_proxy import Stream, TcpProxy, listening

# A message is a type byte, four bytes of length that count themselves, and the content. The first message of a session
# has no type byte. https://www.postgresql.org/docs/current/protocol-message-formats.html
_TYPE_BYTES: Final = 1
_LENGTH_BYTES: Final = 4


class Withheld(StrEnum):
    """The message that is withheld: before the commit, or after it, when the service does not know its outcome."""

    COMMIT = "the message that commits"
    RESPONSE = "the response to the message that commits"


class SessionState:
    """The part of a session's state that shows whether the marked transaction commits."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._is_marked = False
        self._is_in_block = False

    def is_commit(self, message: bytes) -> bool:
        """Return whether a client's message commits the marked transaction: COMMIT, or a Sync outside a BEGIN block."""
        self._is_marked = self._is_marked or self._mark in message
        is_commit = _names_commit(message, b"Q") or (message.startswith(b"S") and not self._is_in_block)
        return self._is_marked and is_commit

    def is_commit_response(self, message: bytes) -> bool:
        """Return whether a server's message confirms it; a single statement is confirmed at its end, after its rows."""
        if message.startswith(b"Z"):
            self._is_in_block = not message.endswith(b"I")
        is_response = _names_commit(message, b"C") or (message.startswith(b"Z") and not self._is_in_block)
        return self._is_marked and is_response


class PostgresProxy(TcpProxy):
    """Forwards messages, except the withheld one of the first transaction that contains `mark`."""

    def __init__(self, host: str | None, port: int | None, mark: str, withheld: Withheld) -> None:
        super().__init__(host, port)
        self._mark = mark.encode()
        self._withheld = withheld
        self.has_withheld = asyncio.Event()

    async def _forward(self, client: Stream, server: Stream) -> None:
        state = SessionState(self._mark)
        await asyncio.gather(
            self._copy_messages(client[0], server[1], state.is_commit, Withheld.COMMIT, type_bytes=0),
            self._copy_messages(server[0], client[1], state.is_commit_response, Withheld.RESPONSE),
        )

    async def _copy_messages(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        matches: Callable[[bytes], bool],
        kind: Withheld,
        *,
        type_bytes: int = _TYPE_BYTES,
    ) -> None:
        """Forward messages until one side closes the connection, then close the other. `type_bytes` is of the first."""
        with suppress(asyncio.IncompleteReadError, OSError):  # a killed process sends no Terminate message
            while True:
                message = await _message(reader, type_bytes)
                type_bytes = _TYPE_BYTES
                if matches(message) and self._withheld is kind and not self.has_withheld.is_set():
                    self.has_withheld.set()
                    while await reader.read(65_536):  # nothing that follows is forwarded either
                        pass
                    break
                writer.write(message)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def postgres_proxy(dsn: str, mark: str, withheld: Withheld) -> AsyncIterator[tuple[PostgresProxy, str]]:
    """Yield a proxy that withholds a message of the first transaction with `mark`, and the DSN through it."""
    parts = urlsplit(dsn)
    proxy = PostgresProxy(parts.hostname, parts.port, mark, withheld)
    # The proxy can not read encrypted messages.
    async with listening(proxy, dsn, query="sslmode=disable") as through_proxy:
        yield proxy, through_proxy


async def _message(reader: asyncio.StreamReader, type_bytes: int) -> bytes:
    head = await reader.readexactly(type_bytes + _LENGTH_BYTES)
    return head + await reader.readexactly(int.from_bytes(head[type_bytes:]) - _LENGTH_BYTES)


def _names_commit(message: bytes, kind: bytes) -> bool:
    return message.startswith(kind) and message[_TYPE_BYTES + _LENGTH_BYTES :].startswith(b"COMMIT")
