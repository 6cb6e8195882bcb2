"""The document that clients are generated from."""

import re
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

import openapi
from core.settings import ROOT


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()}


def test_the_committed_copy_is_the_document() -> None:
    """After a change of the contract: `pipenv run openapi`."""
    assert (ROOT / "openapi.json").read_text() == openapi.document()


def test_operations_are_named_for_generated_clients(document: dict[str, Any]) -> None:
    assert set(operations(document)) == {
        "create_ticket",
        "list_tickets",
        "get_ticket",
        "change_ticket",
        "create_comment",
        "list_comments",
        "list_history",
        "get_workflow",
        "livez",
        "readyz",
    }


def test_every_refusal_of_a_ticket_operation_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    documented = {
        name: {int(status) for status in operation["responses"] if int(status) >= 400}
        for name, operation in operations(document).items()
        if "tickets" in operation["tags"] or "comments" in operation["tags"]
    }
    assert documented == {
        "create_ticket": {400, 409, 413, 415, 422, 503},
        "list_tickets": {422, 503},
        "get_ticket": {404, 422, 503},
        "change_ticket": {400, 404, 409, 412, 413, 415, 422, 503},
        "create_comment": {400, 404, 409, 412, 413, 415, 422, 503},
        "list_comments": {404, 422, 503},
        "list_history": {404, 422, 503},
    }
    for name in documented:
        for status, response in operations(document)[name]["responses"].items():
            if int(status) >= 400:
                assert response["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r"'#/components/schemas/(\w+)'", str(document)))
    assert "Problem" in references
    assert references <= set(document["components"]["schemas"])


async def test_the_pages_need_nothing_from_elsewhere(client: httpx2.AsyncClient) -> None:
    for page in ("/docs", "/redoc"):
        html = (await client.get(page)).text
        addresses = re.findall(r"""(?:src|href)=["']([^"']+)["']""", html)
        assert addresses
        for address in addresses:
            assert address.startswith("/"), address
            assert (await client.get(address)).status_code == 200
