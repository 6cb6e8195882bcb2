"""One running service, whose responses and log the tests read."""

from collections.abc import Iterator

import pytest

from core.settings import Settings
from support.service_process import ServiceProcess


@pytest.fixture(scope="session")
def service(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with ServiceProcess(tmp_path_factory.mktemp("observed") / "log", settings) as service:
        yield service
