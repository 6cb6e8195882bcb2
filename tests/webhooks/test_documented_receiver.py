"""The receiver in docs/webhooks.md verifies, deduplicates and orders."""

import json
import re
import time
from email.message import Message
from typing import Any

import pytest

from core.settings import ROOT
from services.webhooks.signature import new_secret, secret_text, signed_headers

EVENT = {"id": "42.7", "subject": "42", "ticketversion": 7}


@pytest.fixture
def receiver() -> dict[str, Any]:
    """The names that the documented program defines."""
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "webhooks.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - the program of our own documentation
    return names


def request(body: bytes, secret: bytes, *, at_s: float | None = None) -> Message:
    """Return the headers of a delivery."""
    headers = Message()
    for name, value in signed_headers("msg_1", int(at_s or time.time()), body, [new_secret(), secret]).items():
        headers[name] = value
    return headers


def test_it_accepts_what_the_service_signs_and_nothing_else(receiver: dict[str, Any]) -> None:
    secret, body = new_secret(), json.dumps(EVENT).encode()
    receiver["SECRET"] = secret_text(secret)
    assert receiver["is_authentic"](request(body, secret), body)
    assert not receiver["is_authentic"](request(body, new_secret()), body)
    assert not receiver["is_authentic"](request(body, secret), body + b" ")
    assert not receiver["is_authentic"](request(body, secret, at_s=time.time() - 400), body)


def test_it_processes_an_event_once_and_never_goes_back(receiver: dict[str, Any]) -> None:
    for event in (EVENT, EVENT, EVENT | {"id": "42.6", "ticketversion": 6}):
        receiver["process"](event)
    assert receiver["versions"] == {"42": 7}
    assert receiver["processed"] == {"42.7", "42.6"}
