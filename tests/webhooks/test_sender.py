import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from typing import Any

import pytest
import trustme

from services.webhooks import network
from services.webhooks.addresses import AddressPolicy
from services.webhooks.sender import Attempt, Sender
from webhooks.receiver import Receiver, Reply, running_receiver

LOOPBACK = AddressPolicy([ip_network("127.0.0.0/8")])
HEADERS = {"webhook-id": "evt_1_1", "content-type": "application/cloudevents+json"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    sender = Sender(LOOPBACK)
    yield sender
    await sender.close()


async def test_a_request_has_the_headers_and_the_body(sender: Sender, receiver: Receiver) -> None:
    attempt = await sender.send(receiver.url + "?a=b", HEADERS, b'{"id":"1.1"}', timeout_s=5)
    (delivery,) = receiver.deliveries
    assert (attempt.is_success, attempt.status, attempt.error) == (True, 204, None)
    assert (delivery.path, delivery.body, delivery.headers["webhook-id"]) == ("/hook?a=b", b'{"id":"1.1"}', "evt_1_1")


@pytest.mark.parametrize("path", ["/hook;key=1?a=b;c", "/a;b/c;d", "/", "?a", "/%2F//x/"])
async def test_the_whole_path_is_called(sender: Sender, receiver: Receiver, path: str) -> None:
    assert (await sender.send(receiver.url.removesuffix("/hook") + path, HEADERS, b"{}", timeout_s=5)).is_success
    assert receiver.deliveries[0].path == (path if path.startswith("/") else f"/{path}")


async def test_a_connection_is_used_again(sender: Sender, receiver: Receiver) -> None:
    for _ in range(3):
        assert (await sender.send(receiver.url, HEADERS, b"{}", timeout_s=5)).is_success
    assert receiver.connections == 1


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 410, 500, 503])
async def test_every_other_status_is_a_failure_and_no_redirect_is_followed(
    sender: Sender, receiver: Receiver, status: int
) -> None:
    receiver.behaviour = lambda _: Reply(status, {"location": receiver.url}, b"why\0not")
    attempt = await sender.send(receiver.url, HEADERS, b"{}", timeout_s=5)
    assert (attempt.is_success, attempt.status, attempt.response_head) == (False, status, "whynot")
    assert len(receiver.deliveries) == 1


async def test_a_receiver_that_hangs_takes_the_whole_time_and_no_more(sender: Sender, receiver: Receiver) -> None:
    receiver.behaviour = lambda _: Reply(delay_s=60)
    attempt = await sender.send(receiver.url, HEADERS, b"{}", timeout_s=0.1)
    assert (attempt.status, attempt.error) == (None, "no response within 0.1 s")
    assert 100 <= attempt.duration_ms < 2000


async def test_a_response_that_trickles_is_cut_and_its_status_counts(sender: Sender) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    attempt = await sender.send(url, HEADERS, b"{}", timeout_s=1)
    assert (attempt.is_success, attempt.response_head) == (True, "x")
    server.close()


async def test_16_kib_of_the_response_are_read_and_kept(sender: Sender, receiver: Receiver) -> None:
    receiver.behaviour = lambda _: Reply(200, {}, b"x" * 2**20)
    attempt = await sender.send(receiver.url, HEADERS, b"{}", timeout_s=5)
    assert (attempt.is_success, attempt.response_head) == (True, "x" * 16_384)
    assert (await sender.send(receiver.url, HEADERS, b"{}", timeout_s=5)).is_success


async def test_a_port_that_nobody_listens_on_is_a_failure(sender: Sender) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        attempt = await sender.send(url, HEADERS, b"{}", timeout_s=5)
    assert attempt.status is None
    assert attempt.error is not None
    assert attempt.error.startswith("ConnectError")


async def test_a_response_that_is_not_http_is_a_failure(sender: Sender) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp.example.com\r\n")
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    attempt = await sender.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", HEADERS, b"{}", timeout_s=5)
    assert attempt.status is None
    assert attempt.error
    server.close()


@pytest.mark.parametrize(
    ("value", "least_s", "most_s"),
    [
        ("120", 120, 120),
        ("9999999", 86_400, 86_400),
        (timedelta(hours=1), 3000, 3600),
        (timedelta(hours=-1), 0, 0),
    ],
    ids=["seconds", "too-many-seconds", "future", "past"],
)
async def test_retry_after_is_a_number_of_seconds_or_a_time(
    sender: Sender, receiver: Receiver, value: str | timedelta, least_s: float, most_s: float
) -> None:
    header = value if isinstance(value, str) else format_datetime(datetime.now(UTC) + value, usegmt=True)
    receiver.behaviour = lambda _: Reply(429, {"Retry-After": header})
    attempt = await sender.send(receiver.url, HEADERS, b"{}", timeout_s=5)
    assert attempt.retry_after_s is not None
    assert least_s <= attempt.retry_after_s <= most_s


@pytest.mark.parametrize("value", ["soon", "Mon, 01 Jan 99999999999 00:00:00 GMT", "Mon, 99 Jan 2026 00:00:00 GMT", ""])
async def test_another_retry_after_is_ignored(sender: Sender, receiver: Receiver, value: str) -> None:
    receiver.behaviour = lambda _: Reply(429, {"Retry-After": value})
    attempt = await sender.send(receiver.url, HEADERS, b"{}", timeout_s=5)
    assert (attempt.status, attempt.retry_after_s) == (429, None)


async def refused(url: str, policy: AddressPolicy) -> Attempt:
    sender = Sender(policy)
    try:
        return await sender.send(url, HEADERS, b"{}", timeout_s=5)
    finally:
        await sender.close()


async def test_a_name_of_an_address_inside_is_not_called(receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    for host in ("localhost", "127.1", "2130706433", "0x7f.0.0.1"):
        attempt = await refused(f"http://{host}:{port}/hook", AddressPolicy([ip_network("10.0.0.0/8")]))
        assert attempt.status is None
        assert attempt.error
        assert attempt.error.startswith("address not allowed"), (host, attempt.error)
    assert receiver.connections == 0


async def test_one_address_inside_among_several_refuses_the_name(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"]]
    monkeypatch.setattr(network, "_addresses_of", lambda *_: answers.pop())
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    for _ in range(2):
        attempt = await refused(f"http://hooks.example.com:{port}/", LOOPBACK)
        assert attempt.error == "address not allowed: 10.0.0.1 is not a public address"
    assert receiver.connections == 0


async def test_a_name_is_resolved_once_and_its_address_is_connected_to(
    sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second resolution could give another address than the one that was checked."""
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    monkeypatch.setattr(network, "_addresses_of", lambda *_: answers.pop(0))
    url = receiver.url.replace("127.0.0.1", "hooks.example.com")
    assert (await sender.send(url, HEADERS, b"{}", timeout_s=5)).is_success
    assert receiver.deliveries[0].headers["host"].startswith("hooks.example.com")


async def test_another_address_of_the_name_is_tried_after_one_that_fails(
    sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_addresses_of", lambda *_: ["127.0.0.2", "127.0.0.1"])
    assert (
        await sender.send(receiver.url.replace("127.0.0.1", "hooks.example.com"), HEADERS, b"{}", timeout_s=5)
    ).is_success


async def test_no_proxy_of_the_environment_is_used(
    sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await sender.send(receiver.url, HEADERS, b"{}", timeout_s=5)).is_success


async def test_a_name_that_does_not_resolve_is_a_failure(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(network, "_addresses_of", fail)
    attempt = await sender.send("https://gone.example.com/", HEADERS, b"{}", timeout_s=5)
    assert attempt.error == "ConnectError: cannot resolve gone.example.com"


async def test_a_resolution_that_hangs_ends_with_the_request(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_addresses_of", lambda *_: time.sleep(0.3))
    attempt = await sender.send("https://slow.example.com/", HEADERS, b"{}", timeout_s=0.05)
    assert attempt.error == "no response within 0.05 s"


async def test_a_name_that_is_slow_to_resolve_leaves_threads_to_the_others(
    sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after the requests have timed out: their threads still wait for the name server."""
    release, slow = threading.Event(), []

    def resolve(host: str, _: int) -> list[str]:
        if host == "slow.example.com":
            slow.append(host)
            release.wait(10)
        return ["127.0.0.1"]

    monkeypatch.setattr(network, "_addresses_of", resolve)
    slow_url = receiver.url.replace("127.0.0.1", "slow.example.com")
    try:
        for _ in range(2):
            await asyncio.gather(*(sender.send(slow_url, HEADERS, b"{}", timeout_s=0.1) for _ in range(40)))
        other = receiver.url.replace("127.0.0.1", "hooks.example.com")
        assert (await sender.send(other, HEADERS, b"{}", timeout_s=2)).is_success
        assert len(slow) == 4
    finally:
        release.set()
    assert (await sender.send(slow_url, HEADERS, b"{}", timeout_s=5)).is_success


async def test_the_certificate_must_be_that_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    server_side, client_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("hooks.example.com").configure_cert(server_side)
    authority.configure_trust(client_side)
    monkeypatch.setattr(network, "_addresses_of", lambda *_: ["127.0.0.1"])
    names: list[str | None] = []
    server_side.sni_callback = lambda _connection, name, _context: names.append(name)
    sender = Sender(LOOPBACK, ssl_context=client_side)
    async with running_receiver(server_side) as receiver:
        attempt = await sender.send(receiver.url.replace("127.0.0.1", "hooks.example.com"), HEADERS, b"{}", timeout_s=5)
        assert (attempt.is_success, names) == (True, ["hooks.example.com"])
        attempt = await sender.send(receiver.url.replace("127.0.0.1", "other.example.com"), HEADERS, b"{}", timeout_s=5)
        assert attempt.error is not None
        assert "certificate" in attempt.error.lower()
        assert [delivery.path for delivery in receiver.deliveries] == ["/hook"]
    await sender.close()


async def test_requests_that_hang_leave_connections_to_the_others(sender: Sender, receiver: Receiver) -> None:
    receiver.behaviour = lambda delivery: Reply(delay_s=60 if delivery.body == b"hangs" else 0)
    hanging = [asyncio.create_task(sender.send(receiver.url, {}, b"hangs", timeout_s=60)) for _ in range(210)]
    await receiver.wait_for(210)
    assert (await sender.send(receiver.url, {}, b"quick", timeout_s=10)).is_success
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
