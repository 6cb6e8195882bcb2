"""One running service for all tests of the contract over a socket."""

from collections.abc import Iterator

import pytest

from contract.served import served
from core.settings import Settings


@pytest.fixture(scope="session")
def service_url(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(settings, tmp_path_factory.mktemp("service") / "log") as url:
        yield url
