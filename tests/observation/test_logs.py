"""The log of a running service, line by line."""

import json
import logging
from pathlib import Path

import pytest

from core.logs import JsonLines, TextLines
from core.settings import ROOT, Settings
from support.factories import a_ticket, new_database, settings_for
from support.service_process import ServiceProcess

SECRET = "alice@example.com"


def a_record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    trace = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("test", logging.ERROR, __file__, 1, message, arguments, trace)


def raised(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301 - the error needs a traceback
    except Exception as caught:  # noqa: BLE001 - as above
        return caught


def test_a_request_is_one_line_with_principal_route_and_duration(service: ServiceProcess) -> None:
    headers = {"X-Request-Id": "one-of-mine"}
    assert service.request("GET", f"/tickets?email={SECRET}", headers=headers).status == 200
    line = service.logged_request("one-of-mine")
    assert line["message"] == "GET /tickets 200"
    assert line["request_id"] == "one-of-mine"
    fields = {name: line[name] for name in ("level", "method", "route", "status", "client")}
    assert fields == {"level": "info", "method": "GET", "route": "/tickets", "status": 200, "client": "127.0.0.1"}
    assert 0 < line["duration_ms"] < 60_000
    assert line["time"].endswith("Z")
    assert "principal" in line
    assert "trace_id" not in line


def test_no_data_of_the_client_is_logged(service: ServiceProcess) -> None:
    headers = {"Idempotency-Key": "key-of-mine"}
    assert service.request("POST", "/tickets", a_ticket(email=SECRET, text=SECRET), headers).status == 201
    assert service.request("GET", "/tickets", headers={"Authorization": f"Bearer {SECRET}"}).status == 401
    assert service.request("POST", "/tickets", a_ticket(email=SECRET, status=SECRET)).status == 422
    assert service.request("GET", f"/{SECRET}?q={SECRET}", headers={"X-Request-Id": "the-last"}).status == 404
    service.logged_request("the-last")
    log = service.log
    assert SECRET not in log
    assert "key-of-mine" not in log


def test_successful_probes_are_not_logged(service: ServiceProcess) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert service.request("GET", path).status == 200
    assert service.request("GET", "/workflow", headers={"X-Request-Id": "after-the-probes"}).status == 200
    service.logged_request("after-the-probes")
    assert not {line["route"] for line in service.access_log()} & {"/livez", "/readyz", "/metrics"}


async def test_uvicorn_and_the_migrations_log_in_the_same_format(
    postgres_dsn: str, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    async with (
        new_database(postgres_dsn) as dsn,
        ServiceProcess(
            tmp_path / "log", settings_for(dsn, *redis_address), WORKERS="2", TMPDIR=str(tmp_path)
        ) as running,
    ):
        pass
    assert {"uvicorn.error", "alembic.runtime.migration"} <= {line["logger"] for line in running.log_lines()}
    assert len({line["pid"] for line in running.log_lines()}) == 4


def test_an_unexpected_error_is_one_line_with_its_trace(settings: Settings, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.mkdir()
    # Python imports this module at startup. It stands for a defect.
    (program / "sitecustomize.py").write_text(
        f"import sys; sys.path.append({str(ROOT / 'src')!r})\n"
        "import services.tickets.lists as lists\n"
        f"async def broken(*_): raise LookupError('defect\\nDETAIL: ' + '@'.join({SECRET.split('@')}))\n"
        "lists.TicketLists.tickets = broken\n"
    )
    with ServiceProcess(tmp_path / "log", settings, PYTHONPATH=str(program)) as running:
        assert running.request("GET", "/tickets", headers={"X-Request-Id": "the-broken-one"}).status == 500
    failed = [line for line in running.log_lines() if "error" in line]
    assert [line["request_id"] for line in failed] == ["the-broken-one"]
    assert "in broken" in failed[0]["error"]
    assert failed[0]["error"].endswith("LookupError: defect")
    assert SECRET not in running.log
    (request,) = running.access_log()
    assert (request["level"], request["status"], request["request_id"]) == ("error", 500, "the-broken-one")


def test_the_level_and_the_format_are_configurable(settings: Settings, tmp_path: Path) -> None:
    with ServiceProcess(tmp_path / "log", settings, LOG_LEVEL="warning", LOG_FORMAT="text") as running:
        assert running.request("GET", "/workflow").status == 200
    assert running.log == ""


@pytest.mark.parametrize("poison", ["\n", "\r\n", "\x1b[2J", "\x85", "\u2028", "\u202e", "\ud800", "\x00"])
def test_no_text_starts_a_line_of_its_own_or_controls_a_terminal(poison: str) -> None:
    text = f"before{poison}after"
    error = raised(LookupError(text))
    (line,) = JsonLines().format(a_record("logged %s", text, error=error)).splitlines()
    assert line.isascii()
    assert json.loads(line)["message"] == f"logged {text}"
    first, *trace = TextLines().format(a_record("logged %s", text, error=error)).split("\n")
    assert first.isprintable()
    assert all(part.startswith("    ") and part.isprintable() for part in trace)


def test_the_causes_of_an_error_are_logged_and_cycles_end() -> None:
    first, second = raised(ValueError("first")), raised(KeyError("second"))
    second.__cause__, first.__cause__ = first, second
    described = json.loads(JsonLines().format(a_record("x", error=ExceptionGroup("both", [second]))))["error"]
    assert [word in described for word in ("first", "second", "which caused:", "one of them:")] == [True] * 4
