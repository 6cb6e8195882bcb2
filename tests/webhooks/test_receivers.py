"""The receivers of the documentation verify, ignore repetitions, and keep the order of a ticket."""

import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright._impl._driver import compute_driver_executable  # its wheel has Node.js

from core.settings import ROOT
from db.embedded.process import free_port
from services.webhooks.signature import new_secret, secret_text, signed_headers
from webhooks.conftest import SECRET, Hooks

DOCUMENT = (ROOT / "docs" / "webhooks.md").read_text()
RUNTIMES = {
    "python": ([sys.executable], "receiver.py"),
    "typescript": ([compute_driver_executable()[0]], "receiver.ts"),
}
TIMEOUT_S = 20
OLD_SECRET = new_secret()


@dataclass(frozen=True)
class DocumentedReceiver:
    """A receiver that runs, and the database in which it stores."""

    url: str
    database: Path

    def post(self, message_id: str, body: bytes, *, at_s: int | None = None, secret: bytes = SECRET) -> int:
        """Send an event by hand, and return the status."""
        headers = signed_headers(message_id, int(time.time()) if at_s is None else at_s, body, [secret])
        return httpx2.post(self.url, content=body, headers=headers, trust_env=False).status_code

    def rows(self, table: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.database) as connection:
            rows = list(connection.execute(f"SELECT * FROM {table} ORDER BY 1"))
        connection.close()
        return rows


@pytest.fixture(params=RUNTIMES)
def documented(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DocumentedReceiver]:
    """The receiver in one of the languages, started as it stands in the document."""
    command, name = RUNTIMES[request.param]
    (source,) = re.findall(rf"```{request.param}\n(.*?)```", DOCUMENT, re.DOTALL)
    (tmp_path / name).write_text(source)
    port, database = free_port(), tmp_path / "receiver.db"
    environment = {
        "PORT": str(port),
        "DATABASE": str(database),
        "WEBHOOK_SECRETS": f"{secret_text(SECRET)} {secret_text(OLD_SECRET)}",
        "NODE_NO_WARNINGS": "1",
    }
    process = subprocess.Popen([*command, name], cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    try:
        wait_until_reachable(process, port)
        yield DocumentedReceiver(f"http://127.0.0.1:{port}/", database)
    finally:
        process.kill()
        process.communicate()


def wait_until_reachable(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            httpx2.get(f"http://127.0.0.1:{port}/", trust_env=False)
        except httpx2.TransportError:
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def event(ticket_id: int, version: int, type_: str = "ticket.changed") -> bytes:
    content = f'"source":"/tickets","subject":"{ticket_id}","ticketversion":{version},"type":"{type_}"'
    return f'{{"specversion":"1.0","id":"{ticket_id}.{version}",{content},"data":{{"words":"Принтер"}}}}'.encode()


async def test_a_receiver_stores_what_the_service_sends(hooks: Hooks, documented: DocumentedReceiver) -> None:
    endpoint = await hooks.endpoint(documented.url, detail="full")
    ticket = await hooks.ticket(subject="Принтер горит")
    await hooks.client.patch(f"/tickets/{ticket['id']}", json={"subject": "Принтер"})
    await hooks.client.patch(f"/tickets/{ticket['id']}", json={"status": "answered"})
    await hooks.feed()
    while await hooks.deliverer().deliver_due():
        pass
    assert await hooks.states(endpoint) == ["done"] * 3
    assert documented.rows("tickets") == [(ticket["id"], 3, "ticket.transitioned")]
    assert len(documented.rows("received")) == 3


def test_a_receiver_ignores_what_it_has(documented: DocumentedReceiver) -> None:
    for _ in range(2):
        assert documented.post("evt_1_1", event(1, 1)) == 204
    assert documented.rows("received") == [("evt_1_1",)]


def test_a_receiver_keeps_the_latest_version_of_a_ticket(documented: DocumentedReceiver) -> None:
    for version, type_ in ((1, "ticket.created"), (3, "ticket.commented"), (2, "ticket.changed")):
        assert documented.post(f"evt_1_{version}", event(1, version, type_)) == 204
    assert documented.rows("tickets") == [(1, 3, "ticket.commented")]


def test_a_receiver_accepts_either_secret_during_a_rotation(documented: DocumentedReceiver) -> None:
    assert documented.post("evt_1_1", event(1, 1), secret=OLD_SECRET) == 204
    assert documented.post("evt_1_2", event(1, 2), secret=SECRET) == 204


def test_a_receiver_refuses_what_is_forged_or_old(documented: DocumentedReceiver) -> None:
    now = int(time.time())
    assert documented.post("evt_1_1", event(1, 1), secret=new_secret()) == 401
    assert documented.post("evt_1_1", event(1, 1), at_s=now - 301) == 401
    assert documented.post("evt_1_1", event(1, 1), at_s=now + 400) == 401
    signed = signed_headers("evt_1_1", now, event(1, 1), [SECRET])
    for name, value in (("webhook-id", "evt_1_2"), ("webhook-timestamp", "x"), ("webhook-signature", "")):
        refused = httpx2.post(documented.url, content=event(1, 1), headers=signed | {name: value}, trust_env=False)
        assert refused.status_code == 401, name
    other = httpx2.post(documented.url, content=event(1, 2), headers=signed, trust_env=False)
    assert (other.status_code, documented.rows("received")) == (401, [])
