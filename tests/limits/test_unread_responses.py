"""A client that does not read its responses occupies no slot, however many requests it pipelines."""

import asyncio
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx2

from core.settings import Settings
from support.service_process import ServiceProcess

SLOTS = 2
PIPELINED = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 60


async def test_unread_responses_occupy_no_slot(settings: Settings, tmp_path: Path) -> None:
    limits = {"MAX_CONCURRENT_REQUESTS": str(SLOTS)}
    with ServiceProcess(tmp_path / "log", settings, **limits) as service, ExitStack() as stack:
        for _ in range(4 * SLOTS):
            greedy = stack.enter_context(socket.socket())
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            greedy.connect(("127.0.0.1", service.port))
            greedy.sendall(PIPELINED)
        await asyncio.sleep(1)  # until the buffers are full
        async with httpx2.AsyncClient(base_url=service.url) as client:
            responses = [await client.get("/tickets?limit=1") for _ in range(5)]
        assert [response.status_code for response in responses] == [200] * 5
