"""The document that clients are generated from."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

import openapi
from api.problems.types import ALL
from core.settings import ROOT
from support.factories import JSON

# What every operation may refuse, every one but the probes, every operation on tickets, and every one that writes.
ANYWHERE = {408, 413, 414, 431, 500}
BEHIND_THE_GATE = ANYWHERE | {401, 403, 406, 421, 429, 503}
READING = BEHIND_THE_GATE | {422}
WRITING = READING | {400, 415}
ALWAYS_WITH = {
    401: {"WWW-Authenticate"},
    429: {"Retry-After", "RateLimit", "RateLimit-Policy"},
    503: {"Retry-After"},
}
# No operation lives where there is nothing, takes a method that it does not take, or is asked for by what is no HTTP.
UNDOCUMENTED = {"not-found", "method-not-allowed", "malformed-request"}


@pytest.fixture(scope="module")
def document(app: FastAPI) -> JSON:
    return app.openapi()


def operations(document: JSON) -> dict[str, JSON]:
    return {operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()}


def answers(document: JSON) -> Iterator[tuple[str, int, JSON]]:
    for name, operation in operations(document).items():
        for status, answer in operation["responses"].items():
            yield name, int(status), answer


def found(document: JSON, part: JSON) -> Any:
    """Return what a part refers to, or itself."""
    if "$ref" not in part:
        return part
    there: Any = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        there = there[step]
    return there


def test_the_committed_copy_is_the_document() -> None:
    """After a change of the contract: `pipenv run openapi`."""
    assert (ROOT / "openapi.json").read_text() == openapi.document()


def test_the_document_is_openapi_3_1(document: JSON) -> None:
    """By the specification's own schema; what it leaves open, the schemas, by their metaschema."""
    assert document["openapi"].startswith("3.1.")
    Draft202012Validator(OPENAPI_31).validate(document)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for operation in operations(document).values():
        for parameter in operation.get("parameters", ()):
            Draft202012Validator.check_schema(parameter["schema"])


def test_every_reference_in_the_document_leads_somewhere(document: JSON) -> None:
    references = set(re.findall(r"'\$ref': '([^']+)'", str(document)))
    assert "#/components/schemas/Problem" in references
    for reference in references:
        assert found(document, {"$ref": reference})


def test_operations_are_named_for_generated_clients(document: JSON) -> None:
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


def test_every_operation_says_what_it_does(document: JSON) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    for name, operation in operations(document).items():
        assert len(operation["summary"]) < 60
        assert not operation["summary"].endswith(".")
        assert operation["description"] != operation["summary"], name
        assert all(tags[tag] for tag in operation["tags"])
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (name, parameter["name"])
    assert len({operation["summary"] for operation in operations(document).values()}) == len(operations(document))


def test_every_answer_is_documented(document: JSON) -> None:
    assert {
        name: {int(status) for status in operation["responses"]} for name, operation in operations(document).items()
    } == {
        "create_ticket": {201, 409} | WRITING,
        "list_tickets": {200} | READING,
        "get_ticket": {200, 304, 404} | READING,
        "change_ticket": {200, 404, 409, 412} | WRITING,
        "create_comment": {201, 404, 409, 412} | WRITING,
        "list_comments": {200, 404} | READING,
        "list_history": {200, 404} | READING,
        "get_workflow": {200} | BEHIND_THE_GATE,
        "livez": {200} | ANYWHERE,
        "readyz": {200, 503} | ANYWHERE,
    }


def test_every_refusal_is_a_problem_with_examples_of_it(document: JSON) -> None:
    for name, status, answer in answers(document):
        if status < 400 or (name, status) == ("readyz", 503):
            continue
        content = answer["content"]["application/problem+json"]
        assert set(answer["content"]) == {"application/problem+json"}
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        examples = [found(document, example)["value"] for example in content["examples"].values()]
        assert examples
        for example in examples:
            assert example["status"] == status
            assert example["type"].removeprefix("/problems/") in answer["description"]


def test_every_kind_of_problem_is_documented_where_it_can_come(document: JSON) -> None:
    documented = {
        slug
        for _, _, answer in answers(document)
        for slug in answer.get("content", {}).get("application/problem+json", {}).get("examples", ())
    }
    assert {kind.slug for kind in ALL} - documented == UNDOCUMENTED


def test_every_answer_tells_its_headers(document: JSON) -> None:
    told = {(name, status): set(answer["headers"]) - {"X-Request-Id"} for name, status, answer in answers(document)}
    assert all("X-Request-Id" in answer["headers"] for _, _, answer in answers(document))
    assert {of: headers for of, headers in told.items() if headers} == {
        ("create_ticket", 201): {"Location", "ETag", "Idempotent-Replayed"},
        ("create_comment", 201): {"ETag", "Idempotent-Replayed"},
        ("change_ticket", 200): {"ETag"},
        ("get_ticket", 200): {"ETag", "Cache-Status", "Cache-Control"},
        ("get_ticket", 304): {"ETag", "Cache-Status", "Cache-Control"},
        ("list_tickets", 200): {"Link"},
        ("list_comments", 200): {"Link"},
        ("list_history", 200): {"Link"},
        ("create_ticket", 409): {"Retry-After"},
        ("create_comment", 409): {"Retry-After"},
        ("change_ticket", 412): {"ETag"},
        ("create_comment", 412): {"ETag"},
    } | {(name, status): ALWAYS_WITH[status] for name, status in told if status in ALWAYS_WITH and name != "readyz"}


def test_every_header_that_is_read_is_documented_with_an_example(document: JSON) -> None:
    documented = {
        name: {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"}
        for name, operation in operations(document).items()
    }
    assert {name: headers for name, headers in documented.items() if headers} == {
        "create_ticket": {"Idempotency-Key"},
        "create_comment": {"Idempotency-Key", "If-Match"},
        "change_ticket": {"If-Match"},
        "get_ticket": {"If-None-Match", "Cache-Control"},
    }
    for operation in operations(document).values():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "header":
                assert parameter["schema"]["type"] == "string"
                assert parameter["schema"]["examples"]


def test_every_example_of_an_answer_is_valid(document: JSON) -> None:
    shown = set()
    for _, _, answer in answers(document):
        for content in answer.get("content", {}).values():
            schema = content["schema"] | {"components": document["components"]}
            for name, example in content.get("examples", {}).items():
                Draft202012Validator(schema).validate(found(document, example)["value"])
                shown.add(name)
    assert set(document["components"]["examples"]) - shown == UNDOCUMENTED


async def test_the_docs_load_nothing_from_elsewhere(client: httpx2.AsyncClient) -> None:
    html = (await client.get("/docs")).text
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)["']""", html)
    assert addresses
    for address in addresses:
        assert "//" not in address, address
        assert (await client.get(urljoin("/docs", address))).status_code == 200
