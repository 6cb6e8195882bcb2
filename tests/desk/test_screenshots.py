"""The script of the screenshots works, and the README shows what it takes."""

import asyncio
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.settings import ROOT
from support.factories import NewDatabase, settings_for
from support.programs import require_program
from support.service_process import ServiceProcess

NAMES = {"desk-light.png", "desk-dark.png"}
MOST_BYTES = 300_000
TIMEOUT_S = 100


@pytest.fixture
async def empty_service(
    migrated_database: NewDatabase, redis_address: tuple[str, int], tmp_path: Path
) -> AsyncIterator[ServiceProcess]:
    async with migrated_database() as dsn:
        settings = settings_for(dsn, *redis_address, allow_anonymous=False)
        async with ServiceProcess(tmp_path / "log", settings) as service:
            yield service


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


async def test_the_script_takes_the_pictures_of_the_readme(empty_service: ServiceProcess, tmp_path: Path) -> None:
    require_program("chromium", "chromium-browser", "google-chrome")
    command = [sys.executable, str(ROOT / "scripts" / "screenshots.py"), empty_service.url, str(tmp_path / "taken")]
    script = await asyncio.create_subprocess_exec(*command)
    assert await asyncio.wait_for(script.wait(), TIMEOUT_S) == 0
    taken = {path.name: path.read_bytes() for path in (tmp_path / "taken").iterdir()}
    assert taken.keys() == NAMES
    shown = {path.name: path.read_bytes() for path in (ROOT / "docs" / "images").iterdir()}
    for name, png in taken.items():
        assert size_of(png) == size_of(shown[name])
        assert len(shown[name]) < MOST_BYTES
        assert f"docs/images/{name}" in (ROOT / "README.md").read_text()
