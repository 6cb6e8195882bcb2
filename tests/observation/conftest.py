"""One running service for what asks it and looks at what it says."""

from collections.abc import Iterator

import pytest

from core.settings import Settings
from observation.processes import Running, started


@pytest.fixture(scope="session")
def service(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(settings, tmp_path_factory.mktemp("observed") / "said") as running:
        yield running
