"""The service as its clients meet it: a process of its own behind a real socket."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from core.settings import ROOT, Settings
from db.embedded.process import free_port

START_WITHIN_S = 30


@contextmanager
def served(settings: Settings, log: Path, root: Path = ROOT, /, **others: str) -> Iterator[str]:
    """Run the service of the project in `root`, with these settings and others, and yield its URL; it logs to `log`."""
    assert settings.database_dsn is not None
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "DATABASE_DSN": settings.database_dsn.get_secret_value(),
        "REDIS_HOST": settings.redis_host or "",
        "REDIS_PORT": str(settings.redis_port),
        "REDIS_PREFIX": settings.redis_prefix,
        "PORT": str(port),
        "ALLOW_ANONYMOUS": str(settings.allow_anonymous),
    } | others
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, root / "src" / "serve.py"], env=environment, stdout=said, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(15)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while not _is_ready(url):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def _is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False
