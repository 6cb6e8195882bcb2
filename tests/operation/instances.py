"""Instances of the service as they run in production: processes of their own, by the command that starts them."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx2

from core.settings import ROOT
from db.embedded.process import free_port

START_WITHIN_S: Final = 30
STOP_WITHIN_S: Final = 30


class Instance:
    """One instance on a port of its own; what it says goes to `log`."""

    def __init__(self, log: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "PORT": str(self.port)} | environment
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        assert self._process is not None
        return self._process

    @property
    def said(self) -> str:
        return self._log.read_text()

    async def start(self) -> None:
        with self._log.open("ab") as log:
            command = (sys.executable, ROOT / "src" / "serve.py")
            self._process = await asyncio.create_subprocess_exec(
                *command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        async with asyncio.timeout(START_WITHIN_S):
            while await self.ask("/readyz") != 200:
                assert self._process.returncode is None, self.said
                await asyncio.sleep(0.05)

    async def ask(self, path: str) -> int:
        """Return the status of an answer on a connection of its own, 0 if there is none."""
        try:
            async with httpx2.AsyncClient(base_url=self.url, timeout=10) as client:
                return (await client.get(path)).status_code
        except httpx2.TransportError:
            return 0

    def tell(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    async def ended(self) -> int:
        async with asyncio.timeout(STOP_WITHIN_S):
            return await self.process.wait()

    async def stop(self) -> int:
        self.tell(signal.SIGTERM)
        return await self.ended()


@asynccontextmanager
async def started(log: Path, dsn: str, redis_address: tuple[str, int], **environment: str) -> AsyncIterator[Instance]:
    """Lend a ready instance on these servers, and end it."""
    host, port = redis_address
    instance = Instance(log, DATABASE_DSN=dsn, REDIS_HOST=host, REDIS_PORT=str(port), **environment)
    try:
        await instance.start()
        yield instance
    finally:
        if instance.process.returncode is None:
            instance.process.kill()
        await instance.process.wait()
