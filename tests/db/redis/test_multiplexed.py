"""One connection that all requests share, tested on uvloop, which the service uses, and on the loop of asyncio."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from db.embedded.valkey import ValkeyNode
from db.redis.multiplexed import (
    TIMEOUT_CHECK_INTERVAL_S,
    Login,
    MultiplexedConnection,
    MultiplexedConnections,
    RedisErrorReply,
)

LONG_S = 5
SHORT_S = 0.05


@pytest.fixture(scope="module")
def server(server_folder: Path) -> Iterator[ValkeyNode]:
    server = ValkeyNode(server_folder / secrets.token_hex(4), is_in_cluster=False)
    server.start()
    yield server
    server.stop()


def after(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


Steps = Callable[[MultiplexedConnections, tuple[str, int]], Awaitable[None]]
Run = Callable[[Steps], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, server: ValkeyNode) -> Run:
    """Return a function that runs steps on a new event loop."""

    async def with_connections(steps: Steps) -> None:
        connections = MultiplexedConnections(Login(), connect_timeout_s=LONG_S)
        try:
            async with asyncio.timeout(4 * LONG_S):
                await steps(connections, ("127.0.0.1", server.port))
        finally:
            await connections.close()

    return lambda steps: request.param(with_connections(steps))


@asynccontextmanager
async def server_sending(reply: bytes | None) -> AsyncIterator[tuple[str, int]]:
    """Yield the address of a server that sends `reply` to each client and closes; with None it sends nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1 if reply is None else 100)
        writer.write(reply or b"")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        host, port = listener.sockets[0].getsockname()
        yield host, port


async def client_count(connections: MultiplexedConnections, address: tuple[str, int]) -> int:
    clients: bytes = await connections.execute(address, ("CLIENT", "LIST"), until=after(LONG_S))
    return len(clients.splitlines())


def test_each_caller_gets_its_own_reply_over_one_connection_and_in_one_write(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    send = MultiplexedConnection._send  # noqa: SLF001 - writes are visible nowhere else

    def counted(connection: MultiplexedConnection) -> None:
        nonlocal writes
        writes += 1
        send(connection)

    async def steps(connections: MultiplexedConnections, address: tuple[str, int]) -> None:
        nonlocal writes
        before = await client_count(connections, address)
        writes = 0
        echoes = [connections.execute(address, ("ECHO", number), until=after(LONG_S)) for number in range(500)]
        assert await asyncio.gather(*echoes) == [str(number).encode() for number in range(500)]
        assert writes == 1
        assert await client_count(connections, address) == before

    monkeypatch.setattr(MultiplexedConnection, "_send", counted)
    run(steps)


def test_an_error_reply_affects_only_its_own_command(run: Run) -> None:
    async def steps(connections: MultiplexedConnections, address: tuple[str, int]) -> None:
        replies = await asyncio.gather(
            connections.execute(address, ("NONSENSE",), until=after(LONG_S)),
            connections.execute(address, ("ECHO", b"\r\n\0"), until=after(LONG_S)),
            return_exceptions=True,
        )
        assert isinstance(replies[0], RedisErrorReply)
        assert replies[1] == b"\r\n\0"

    run(steps)


def test_a_cancelled_command_does_not_take_the_reply_of_another(run: Run) -> None:
    async def steps(connections: MultiplexedConnections, address: tuple[str, int]) -> None:
        await connections.execute(address, ("PING",), until=after(LONG_S))
        for turns in range(4):
            commands = [
                asyncio.create_task(connections.execute(address, ("ECHO", n), until=after(LONG_S))) for n in range(20)
            ]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in commands[::2]:
                task.cancel()
            replies = await asyncio.gather(*commands, return_exceptions=True)
            assert replies[1::2] == [str(number).encode() for number in range(1, 20, 2)]

    run(steps)


def test_a_timeout_ends_the_command_at_its_deadline_and_replaces_the_connection(run: Run) -> None:
    async def steps(connections: MultiplexedConnections, address: tuple[str, int]) -> None:
        before = await connections.execute(address, ("CLIENT", "ID"), until=after(LONG_S))
        await connections.execute(address, ("CLIENT", "PAUSE", 400), until=after(LONG_S))
        patient = asyncio.create_task(connections.execute(address, ("ECHO", "late"), until=after(LONG_S)))
        began_at = time.monotonic()
        with pytest.raises(TimeoutError):
            await connections.execute(address, ("ECHO", "never"), until=after(SHORT_S))
        assert time.monotonic() - began_at >= SHORT_S
        # A command with a later deadline still gets its reply; a new command gets another connection.
        assert await patient == b"late"
        assert await connections.execute(address, ("CLIENT", "ID"), until=after(LONG_S)) != before
        # The old connection closes after its last pending command.
        while b"id=%d " % before in await connections.execute(address, ("CLIENT", "LIST"), until=after(LONG_S)):
            await asyncio.sleep(TIMEOUT_CHECK_INTERVAL_S)

    run(steps)


def test_a_blocked_event_loop_does_not_cause_timeouts(run: Run) -> None:
    async def steps(connections: MultiplexedConnections, address: tuple[str, int]) -> None:
        await connections.execute(address, ("PING",), until=after(LONG_S))
        commands = asyncio.create_task(connections.execute(address, ("ECHO", "there"), until=after(SHORT_S)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(SHORT_S + 5 * TIMEOUT_CHECK_INTERVAL_S)  # noqa: ASYNC251 - blocks the loop on purpose
        assert await commands == b"there"

    run(steps)


def test_a_lost_connection_fails_its_pending_commands_and_is_opened_again(run: Run) -> None:
    async def steps(connections: MultiplexedConnections, address: tuple[str, int]) -> None:
        await connections.execute(address, ("PING",), until=after(LONG_S))
        quitting = asyncio.create_task(connections.execute(address, ("QUIT",), until=after(LONG_S)))
        pending = asyncio.create_task(connections.execute(address, ("PING",), until=after(LONG_S)))
        assert await quitting == b"OK"
        with pytest.raises(ConnectionError):
            await pending
        assert await connections.execute(address, ("ECHO", "again"), until=after(LONG_S)) == b"again"

    run(steps)


def test_a_server_with_another_protocol_is_rejected(run: Run) -> None:
    async def steps(connections: MultiplexedConnections, _address: tuple[str, int]) -> None:
        async with server_sending(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
            for _ in range(2):
                with pytest.raises(OSError, match="not a reply of a Redis server"):
                    await connections.execute(address, ("PING",), until=after(LONG_S))

    run(steps)


def test_the_deadline_includes_the_time_to_connect(run: Run) -> None:
    async def steps(_connections: MultiplexedConnections, _address: tuple[str, int]) -> None:
        async with server_sending(None) as address:
            connecting = MultiplexedConnections(Login(password="pass-word"), connect_timeout_s=2 * LONG_S)
            began_at = time.monotonic()
            with pytest.raises(TimeoutError):
                await connecting.execute(address, ("PING",), until=after(SHORT_S))
            assert time.monotonic() - began_at < LONG_S
            await connecting.close()

    run(steps)


def test_concurrent_first_commands_share_one_connection(run: Run) -> None:
    async def steps(connections: MultiplexedConnections, address: tuple[str, int]) -> None:
        commands = [connections.execute(address, ("CLIENT", "ID"), until=after(LONG_S)) for _ in range(20)]
        assert len(set(await asyncio.gather(*commands))) == 1

    run(steps)


def test_a_server_that_closes_after_the_password_fails_every_command_at_once(run: Run) -> None:
    async def steps(_connections: MultiplexedConnections, _address: tuple[str, int]) -> None:
        async with server_sending(b"+OK\r\n") as address:
            connections = MultiplexedConnections(Login(password="pass-word"), connect_timeout_s=LONG_S)
            for _ in range(20):
                commands = [connections.execute(address, ("PING",), until=after(LONG_S)) for _ in range(3)]
                replies = await asyncio.gather(*commands, return_exceptions=True)
                assert {type(reply) for reply in replies} <= {ConnectionError, ConnectionResetError}
            await connections.close()

    run(steps)
