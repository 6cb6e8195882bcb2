"""A client generated from the document takes the tour of the README."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from core.settings import ROOT

PACKAGE = "generated_ticket_client"


class GeneratedClient:
    """The generated package, and a client of the running service."""

    def __init__(self, service_url: str) -> None:
        self.models: Any = self.module("models")
        self.client: Any = self.module("client").Client(
            base_url=service_url, raise_on_unexpected_status=True, httpx_args={"trust_env": False}
        )

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{name}")

    def call(self, operation: str, *arguments: Any, **named: Any) -> Any:
        """Call an operation, given as tag.name; return its status, headers and parsed body."""
        return self.module(f"api.{operation}").sync_detailed(*arguments, client=self.client, **named)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The output of the generator. The package can be imported while the fixture is active."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yml").write_text("post_hooks: []\n")
    output = generate(folder)
    sys.path.insert(0, str(folder))
    yield output
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def generated(package: str, service_url: str) -> Iterator[GeneratedClient]:  # noqa: ARG001 - makes the package importable
    generated = GeneratedClient(service_url)
    with generated.client:
        yield generated


def generate(folder: Path) -> str:
    """Run the generator without its post-processing; return its output."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
            *("--path", ROOT / "openapi.json", "--config", folder / "config.yml", "--output-path", folder / PACKAGE),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_generator_has_no_warnings(package: str) -> None:
    assert "WARNING" not in package.upper()
    assert [line.partition(" ")[0] for line in package.splitlines() if line.strip()] == ["Generating"]


def test_the_tour(generated: GeneratedClient) -> None:
    models = generated.models
    opened = generated.call(
        "tickets.create_ticket",
        body=models.TicketCreate(
            subject="The printer is on fire", text="It started after lunch.", email="alice@example.com"
        ),
        idempotency_key="the-tour",
    )
    assert (opened.status_code, opened.parsed.status) == (201, models.TicketStatus.OPEN)
    number = opened.parsed.id

    reply = models.CommentCreate(
        email="bob@example.com", text="Have you tried water?", status=models.TicketStatus.ANSWERED
    )
    commented = generated.call("comments.create_comment", number, body=reply)
    assert (commented.status_code, commented.headers["ETag"]) == (201, '"2"')

    patch = models.TicketPatch(status=models.TicketStatus.CLOSED)
    closed = generated.call("tickets.change_ticket", number, body=patch, if_match='"2"')
    assert (closed.status_code, closed.parsed.status) == (200, models.TicketStatus.CLOSED)
    assert closed.parsed.closed_at == closed.parsed.updated_at

    remark = models.CommentCreate(email="alice@example.com", text="It is still burning.")
    refused = generated.call("comments.create_comment", number, body=remark)
    assert refused.status_code == 409
    assert isinstance(refused.parsed, models.Problem)
    assert (refused.parsed.type_, refused.parsed.status) == ("/problems/ticket-closed", 409)

    shown = generated.call("tickets.get_ticket", number)
    assert [comment.text for comment in shown.parsed.comments] == ["Have you tried water?"]
    again = generated.call("tickets.get_ticket", number, if_none_match=shown.headers["ETag"])
    assert (again.status_code, again.parsed) == (304, None)

    history = generated.call("tickets.list_history", number)
    assert [event.type_.value for event in history.parsed.items] == ["created", "commented", "changed"]


def test_all_pages_can_be_followed(generated: GeneratedClient) -> None:
    body = generated.models.TicketCreate(subject="Pages", text="of one", email="pages@example.com")
    opened = [generated.call("tickets.create_ticket", body=body).parsed.id for _ in range(3)]
    seen: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = generated.call("tickets.list_tickets", limit=1, email="pages@example.com", **cursor)
        seen += [ticket.id for ticket in page.parsed.items]
        if page.parsed.next_cursor is None:
            break
        cursor = {"cursor": page.parsed.next_cursor}
    assert seen == opened[::-1]


def test_the_client_parses_problems(generated: GeneratedClient) -> None:
    models = generated.models
    body = models.TicketCreate(subject=" ", text="x", email="alice@example.com")
    invalid = generated.call("tickets.create_ticket", body=body)
    assert [part.pointer for part in invalid.parsed.errors] == ["#/subject"]

    body = models.TicketCreate(subject="x", text="x", email="alice@example.com")
    number = generated.call("tickets.create_ticket", body=body).parsed.id
    patch = models.TicketPatch(status=models.TicketStatus.AWAITING_REPLY)
    illegal = generated.call("tickets.change_ticket", number, body=patch).parsed
    assert (illegal.from_, illegal.to, illegal.allowed) == ("open", "awaiting_reply", ["answered", "closed"])


def test_the_client_accepts_types_and_details_of_a_later_release(generated: GeneratedClient) -> None:
    problem = {"title": "x", "status": 409, "detail": "x", "instance": "urn:x", "request_id": "x"}
    parsed = generated.models.Problem.from_dict(problem | {"type": "/problems/of-a-later-release"})
    assert parsed.type_ == "/problems/of-a-later-release"
    data = {"status": {"from": "open", "to": "answered"}, "assignee": {"from": None, "to": "key:crm"}}
    event = {"version": 2, "data": data, "actor": "anonymous", "created_at": "2026-03-02T12:33:41Z"}
    parsed = generated.models.Event.from_dict(event | {"type": "assigned"})
    assert parsed.type_ == "assigned"
    assert parsed.data.status.to is generated.models.TicketStatus.ANSWERED
    assert parsed.data["assignee"] == {"from": None, "to": "key:crm"}


@pytest.mark.parametrize("operation", ["workflow.get_workflow", "operation.livez", "operation.readyz"])
def test_an_operation_without_parameters_is_parsed(generated: GeneratedClient, operation: str) -> None:
    response = generated.call(operation)
    assert response.status_code == 200
    assert response.parsed.to_dict() == json.loads(response.content)
