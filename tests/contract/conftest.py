"""One running service for all tests of the contract over a socket."""

from collections.abc import Iterator

import pytest

from core.settings import Settings
from support.service_process import ServiceProcess


@pytest.fixture(scope="session")
def service_url(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ServiceProcess(tmp_path_factory.mktemp("service") / "log", settings) as service:
        yield service.url
