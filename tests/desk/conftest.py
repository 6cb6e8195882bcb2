"""Pages of the desk, over HTTP without a browser and in a real one."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from playwright.async_api import Browser

from contract.browser import Visit, visiting
from core.settings import Settings
from support.factories import NewDatabase, running, settings_for
from support.service_process import ServiceProcess


@pytest.fixture(scope="session")
def desk_service(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with ServiceProcess(tmp_path_factory.mktemp("desk") / "log", settings) as service:
        yield service


@pytest.fixture
async def visit(desk_service: ServiceProcess, chromium: Browser) -> AsyncIterator[Visit]:
    """A page of a browser with scripts. It must reach no other host, and print nothing on its console."""
    async with visiting(desk_service.url, chromium) as visit:
        yield visit
        assert visit.foreign_requests == []
        assert visit.errors == []


@pytest.fixture
async def plain_visit(desk_service: ServiceProcess, chromium: Browser) -> AsyncIterator[Visit]:
    """A page of a browser without scripts."""
    async with visiting(desk_service.url, chromium, java_script_enabled=False) as visit:
        yield visit
        assert visit.foreign_requests == []
        assert visit.errors == []


@pytest.fixture(scope="session")
async def local(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client on the machine of a service without keys: an admin."""
    async with (
        migrated_database() as dsn,
        running(settings_for(dsn, *redis_address, allow_anonymous=False)) as (app, _),
    ):
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client
