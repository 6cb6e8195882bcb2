"""A client that does not read its responses occupies no slot, however many requests it pipelines."""

import asyncio
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from contract.served import served
from core.settings import Settings

PLACES = 2
PIPELINED = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 60


async def test_unread_answers_keep_nobody_from_a_place(settings: Settings, tmp_path: Path) -> None:
    with served(settings, tmp_path / "log", MAX_CONCURRENT_REQUESTS=str(PLACES)) as url, ExitStack() as stack:
        for _ in range(4 * PLACES):
            greedy = stack.enter_context(socket.socket())
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            greedy.connect(("127.0.0.1", urlsplit(url).port))
            greedy.sendall(PIPELINED)
        await asyncio.sleep(1)  # until their answers are stuck
        async with httpx2.AsyncClient(base_url=url) as client:
            answers = [await client.get("/tickets?limit=1") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 5
