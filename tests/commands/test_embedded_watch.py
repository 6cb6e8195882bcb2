"""The thread that watches the embedded servers beside uvicorn."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from commands import serve, uvicorn_process
from commands.serve import _EmbeddedWatch
from commands.start_checks import CannotServe
from core.settings import Settings
from db.embedded import EmbeddedServers


class Servers(EmbeddedServers):
    """Counts how often ended servers would be restarted."""

    checks = 0

    def restart_ended(self) -> None:
        self.checks += 1


@pytest.fixture
def servers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Servers:
    monkeypatch.setattr(serve, "WATCH_EVERY_S", 0.01)
    return Servers(settings)


def test_it_restarts_servers_until_the_service_stops(
    settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(uvicorn_process, "wait_until_ready", lambda *_, **__: None)
    with _EmbeddedWatch(settings, "the data", servers) as watch:
        deadline = time.monotonic() + 10
        while servers.checks < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    checks = servers.checks
    time.sleep(0.1)
    assert servers.checks == checks
    assert watch.failure is None
    assert "Data  the data" in capfd.readouterr().out


def test_a_service_that_does_not_become_ready_is_stopped(
    settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int]] = []

    def never(_settings: Settings, *, status: Callable[[], int | None]) -> None:
        assert status() is None
        raise CannotServe("the service was not ready within 30 s")

    monkeypatch.setattr(uvicorn_process, "wait_until_ready", never)
    monkeypatch.setattr(os, "kill", lambda *signalled: sent.append(signalled))
    with _EmbeddedWatch(settings, "the data", servers) as watch:
        pass
    assert str(watch.failure) == "the service was not ready within 30 s"
    assert sent == [(os.getpid(), signal.SIGTERM)]
    assert servers.checks == 0


def test_a_service_that_stops_before_it_is_ready_is_no_failure(
    settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn_process, "_is_ready", lambda _: False)
    with _EmbeddedWatch(settings, "the data", servers) as watch:
        time.sleep(0.05)
    assert watch.failure is None
