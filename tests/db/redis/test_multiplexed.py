"""One connection that all requests share: on the event loop of the service as well as on asyncio's own."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from db.embedded.valkey import ValkeyNode
from db.redis.multiplexed import LOOK_EVERY_S, Login, MultiplexedConnection, MultiplexedConnections, RedisRefused

AMPLE_S = 5
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
    """Return what runs steps on an event loop of their own."""

    async def with_pipes(steps: Steps) -> None:
        pipes = MultiplexedConnections(Login(), connect_timeout_s=AMPLE_S)
        try:
            async with asyncio.timeout(4 * AMPLE_S):
                await steps(pipes, ("127.0.0.1", server.port))
        finally:
            await pipes.close()

    return lambda steps: request.param(with_pipes(steps))


@asynccontextmanager
async def saying(words: bytes | None) -> AsyncIterator[tuple[str, int]]:
    """Lend the address of a server that says its words to whoever asks, and hangs up; None says nothing at all."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1 if words is None else 100)
        writer.write(words or b"")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        host, port = listener.sockets[0].getsockname()
        yield host, port


async def connections_of(pipes: MultiplexedConnections, address: tuple[str, int]) -> int:
    clients: bytes = await pipes.ask(address, ("CLIENT", "LIST"), until=after(AMPLE_S))
    return len(clients.splitlines())


def test_each_gets_the_answer_to_what_it_asked_over_one_connection_and_in_one_piece(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = 0
    send = MultiplexedConnection._send  # noqa: SLF001 - what is sent together is seen nowhere else

    def counted(pipe: MultiplexedConnection) -> None:
        nonlocal pieces
        pieces += 1
        send(pipe)

    async def steps(pipes: MultiplexedConnections, address: tuple[str, int]) -> None:
        nonlocal pieces
        before = await connections_of(pipes, address)
        pieces = 0
        echoes = [pipes.ask(address, ("ECHO", number), until=after(AMPLE_S)) for number in range(500)]
        assert await asyncio.gather(*echoes) == [str(number).encode() for number in range(500)]
        assert pieces == 1
        assert await connections_of(pipes, address) == before

    monkeypatch.setattr(MultiplexedConnection, "_send", counted)
    run(steps)


def test_what_the_server_refuses_is_refused_to_nobody_else(run: Run) -> None:
    async def steps(pipes: MultiplexedConnections, address: tuple[str, int]) -> None:
        answers = await asyncio.gather(
            pipes.ask(address, ("NONSENSE",), until=after(AMPLE_S)),
            pipes.ask(address, ("ECHO", b"\r\n\0"), until=after(AMPLE_S)),
            return_exceptions=True,
        )
        assert isinstance(answers[0], RedisRefused)
        assert answers[1] == b"\r\n\0"

    run(steps)


def test_who_gives_up_waiting_takes_nobody_elses_answer(run: Run) -> None:
    async def steps(pipes: MultiplexedConnections, address: tuple[str, int]) -> None:
        await pipes.ask(address, ("PING",), until=after(AMPLE_S))
        for steps_made in range(4):
            asking = [asyncio.create_task(pipes.ask(address, ("ECHO", n), until=after(AMPLE_S))) for n in range(20)]
            for _ in range(steps_made):
                await asyncio.sleep(0)
            for task in asking[::2]:
                task.cancel()
            answers = await asyncio.gather(*asking, return_exceptions=True)
            assert answers[1::2] == [str(number).encode() for number in range(1, 20, 2)]

    run(steps)


def test_a_silent_server_costs_its_budget_and_the_connection(run: Run) -> None:
    async def steps(pipes: MultiplexedConnections, address: tuple[str, int]) -> None:
        before = await pipes.ask(address, ("CLIENT", "ID"), until=after(AMPLE_S))
        await pipes.ask(address, ("CLIENT", "PAUSE", 400), until=after(AMPLE_S))
        patient = asyncio.create_task(pipes.ask(address, ("ECHO", "late"), until=after(AMPLE_S)))
        began_at = time.monotonic()
        with pytest.raises(TimeoutError):
            await pipes.ask(address, ("ECHO", "never"), until=after(SHORT_S))
        assert time.monotonic() - began_at >= SHORT_S
        # Who has time gets the answer still; who comes now gets another connection.
        assert await patient == b"late"
        assert await pipes.ask(address, ("CLIENT", "ID"), until=after(AMPLE_S)) != before
        # The one before ends with the last who waited for it.
        while b"id=%d " % before in await pipes.ask(address, ("CLIENT", "LIST"), until=after(AMPLE_S)):
            await asyncio.sleep(LOOK_EVERY_S)

    run(steps)


def test_a_process_that_is_held_up_takes_no_server_for_silent(run: Run) -> None:
    async def steps(pipes: MultiplexedConnections, address: tuple[str, int]) -> None:
        await pipes.ask(address, ("PING",), until=after(AMPLE_S))
        asking = asyncio.create_task(pipes.ask(address, ("ECHO", "there"), until=after(SHORT_S)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(SHORT_S + 5 * LOOK_EVERY_S)  # noqa: ASYNC251 - the loop can not listen meanwhile
        assert await asking == b"there"

    run(steps)


def test_a_connection_that_breaks_fails_those_who_wait_and_is_made_again(run: Run) -> None:
    async def steps(pipes: MultiplexedConnections, address: tuple[str, int]) -> None:
        await pipes.ask(address, ("PING",), until=after(AMPLE_S))
        goodbye = asyncio.create_task(pipes.ask(address, ("QUIT",), until=after(AMPLE_S)))
        unheard = asyncio.create_task(pipes.ask(address, ("PING",), until=after(AMPLE_S)))
        assert await goodbye == b"OK"
        with pytest.raises(ConnectionError):
            await unheard
        assert await pipes.ask(address, ("ECHO", "anew"), until=after(AMPLE_S)) == b"anew"

    run(steps)


def test_what_is_no_redis_is_left(run: Run) -> None:
    async def steps(pipes: MultiplexedConnections, _address: tuple[str, int]) -> None:
        async with saying(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
            for _ in range(2):
                with pytest.raises(OSError, match="not the answer of a Redis"):
                    await pipes.ask(address, ("PING",), until=after(AMPLE_S))

    run(steps)


def test_nobody_waits_longer_than_the_budget_for_a_connection(run: Run) -> None:
    async def steps(_pipes: MultiplexedConnections, _address: tuple[str, int]) -> None:
        async with saying(None) as address:
            knocking = MultiplexedConnections(Login(password="pass-word"), connect_timeout_s=2 * AMPLE_S)
            began_at = time.monotonic()
            with pytest.raises(TimeoutError):
                await knocking.ask(address, ("PING",), until=after(SHORT_S))
            assert time.monotonic() - began_at < AMPLE_S
            await knocking.close()

    run(steps)


def test_those_who_come_at_once_share_one_connection(run: Run) -> None:
    async def steps(pipes: MultiplexedConnections, address: tuple[str, int]) -> None:
        asking = [pipes.ask(address, ("CLIENT", "ID"), until=after(AMPLE_S)) for _ in range(20)]
        assert len(set(await asyncio.gather(*asking))) == 1

    run(steps)


def test_a_server_that_hangs_up_after_the_password_keeps_nobody_waiting(run: Run) -> None:
    async def steps(_pipes: MultiplexedConnections, _address: tuple[str, int]) -> None:
        async with saying(b"+OK\r\n") as address:
            pipes = MultiplexedConnections(Login(password="pass-word"), connect_timeout_s=AMPLE_S)
            for _ in range(20):
                asking = [pipes.ask(address, ("PING",), until=after(AMPLE_S)) for _ in range(3)]
                answers = await asyncio.gather(*asking, return_exceptions=True)
                assert {type(answer) for answer in answers} <= {ConnectionError, ConnectionResetError}
            await pipes.close()

    run(steps)
