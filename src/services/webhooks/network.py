"""Connections to receivers: a name is resolved once, every address of it is checked, and only these are connected to.

So a name cannot lead to an address inside of the operator's network, also not by a second resolution.
"""

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import ip_address
from typing import Final
from weakref import WeakValueDictionary

import httpcore2

from services.webhooks.addresses import Address, AddressPolicy

# A name server that does not respond holds a thread for some seconds. asyncio's own threads serve other work.
_RESOLVER_THREADS: Final = 64
# Of these, one host has few, so that a host whose name server does not respond leaves threads to the others.
_LOOKUPS_OF_ONE_HOST: Final = 4

SocketOptions = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]]


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Makes the connections of a connection pool, which does TLS for the name of the host itself."""

    def __init__(self, policy: AddressPolicy, *, is_encrypted: bool) -> None:
        self._policy = policy
        self._is_encrypted = is_encrypted
        self._backend = httpcore2.AnyIOBackend()
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="webhook-names")
        self._lookups: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - of the base class
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address that responds.

        Raises AddressRefused if any address of the host is not permitted, ConnectError, ConnectTimeout.
        """
        addresses = await self._resolve(host, port)
        for address in addresses:
            self._policy.ensure_permitted(address, port, is_encrypted=self._is_encrypted)
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._backend.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _resolve(self, host: str, port: int) -> list[Address]:
        try:
            found = await self._look_up(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"cannot resolve {host}") from error
        return [ip_address(address) for address in found]

    async def _look_up(self, host: str, port: int) -> list[str]:
        """Return the addresses of a name. Its turn ends with the thread, which goes on when the request times out."""
        turn = self._lookups.setdefault(host, asyncio.Semaphore(_LOOKUPS_OF_ONE_HOST))
        await turn.acquire()
        loop = asyncio.get_running_loop()
        lookup = self._threads.submit(_addresses_of, host, port)

        def release(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(turn.release)

        lookup.add_done_callback(release)
        return await asyncio.wrap_future(lookup)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses_of(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # Without the zone of a link-local address, which is never permitted.
    return list(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))
