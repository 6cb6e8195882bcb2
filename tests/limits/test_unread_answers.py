"""Who does not read the answers holds no place, however many requests were sent for them at once."""

import asyncio
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx2

from core.settings import Settings
from support.service_process import ServiceProcess

PLACES = 2
PIPELINED = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 60


async def test_unread_answers_keep_nobody_from_a_place(settings: Settings, tmp_path: Path) -> None:
    limits = {"MAX_CONCURRENT_REQUESTS": str(PLACES)}
    with ServiceProcess(tmp_path / "log", settings, **limits) as service, ExitStack() as stack:
        for _ in range(4 * PLACES):
            greedy = stack.enter_context(socket.socket())
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            greedy.connect(("127.0.0.1", service.port))
            greedy.sendall(PIPELINED)
        await asyncio.sleep(1)  # until their answers are stuck
        async with httpx2.AsyncClient(base_url=service.url) as client:
            answers = [await client.get("/tickets?limit=1") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 5
