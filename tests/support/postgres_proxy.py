"""A way to PostgreSQL on which what commits one transaction, or the answer to it, is held and never arrives."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit, urlunsplit

CLOSED_WITHIN_S: Final = 10

# A message is a letter, four bytes of length that count themselves, and what it says. The first one of a session has
# no letter. https://www.postgresql.org/docs/current/protocol-message-formats.html
_LETTER: Final = 1
_LENGTH: Final = 4


class Held(StrEnum):
    """What is held: nothing was committed yet, or the service does not know yet that it was."""

    COMMIT = "what commits it"
    ANSWER = "the answer to what commits it"


class Talk:
    """What both sides of a session said so far, as far as it tells of the transaction that says `mark`."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._is_marked = False
        self._is_in_block = False

    def says_commit(self, message: bytes) -> bool:
        """Hear the client; return whether it commits what is marked: by COMMIT, or by a Sync that no BEGIN precedes."""
        self._is_marked = self._is_marked or self._mark in message
        is_commit = _is_named_commit(message, b"Q") or (message.startswith(b"S") and not self._is_in_block)
        return self._is_marked and is_commit

    def says_committed(self, message: bytes) -> bool:
        """Hear the server; return whether it answers that: of a single statement the end alone, after its rows."""
        if message.startswith(b"Z"):
            self._is_in_block = not message.endswith(b"I")
        is_answer = _is_named_commit(message, b"C") or (message.startswith(b"Z") and not self._is_in_block)
        return self._is_marked and is_answer


class HeldPostgres:
    """Passes messages on between sessions and their server, but not what is held in the one that says `mark`."""

    def __init__(self, server: tuple[str | None, int | None], mark: str, held: Held) -> None:
        self._server = server
        self._mark = mark.encode()
        self._held = held
        self._sessions: set[asyncio.Task[None]] = set()
        self.is_held = asyncio.Event()

    async def ended(self) -> None:
        """Return when nobody uses this way any more."""
        if self._sessions:
            _, still_open = await asyncio.wait(self._sessions, timeout=CLOSED_WITHIN_S)
            assert not still_open

    def begin(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Take a session."""
        session = asyncio.create_task(self._pass_on(client, to_client))
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)

    async def _pass_on(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(*self._server)
        talk = Talk(self._mark)
        await asyncio.gather(
            self._pump(client, to_server, talk.says_commit, Held.COMMIT, first_letter=0),
            self._pump(server, to_client, talk.says_committed, Held.ANSWER),
        )

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        hear: Callable[[bytes], bool],
        what: Held,
        *,
        first_letter: int = _LETTER,
    ) -> None:
        """Pass on what one side says until it hangs up, and then hang up on the other."""
        letter = first_letter
        with suppress(asyncio.IncompleteReadError, OSError):  # one that was killed says no goodbye
            while True:
                message = await _message(reader, letter)
                letter = _LETTER
                if hear(message) and self._held is what and not self.is_held.is_set():
                    self.is_held.set()
                    while await reader.read(65_536):  # nor does anything arrive that comes after it
                        pass
                    break
                writer.write(message)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def held_postgres(dsn: str, mark: str, held: Held) -> AsyncIterator[tuple[HeldPostgres, str]]:
    """Lend the way to a server, and its address: `held` of the first transaction that says `mark` never arrives."""
    parts = urlsplit(dsn)
    way = HeldPostgres((parts.hostname, parts.port), mark, held)
    async with await asyncio.start_server(way.begin, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        user, at, _ = parts.netloc.rpartition("@")
        # Encrypted messages could not be told apart.
        yield way, urlunsplit((parts.scheme, f"{user}{at}127.0.0.1:{port}", parts.path, "sslmode=disable", ""))
        await way.ended()


async def _message(reader: asyncio.StreamReader, letter: int) -> bytes:
    head = await reader.readexactly(letter + _LENGTH)
    return head + await reader.readexactly(int.from_bytes(head[letter:]) - _LENGTH)


def _is_named_commit(message: bytes, letter: bytes) -> bool:
    return message.startswith(letter) and message[_LETTER + _LENGTH :].startswith(b"COMMIT")
