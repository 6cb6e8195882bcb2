"""The structure of the OpenAPI document: validity, operations, responses, examples."""

import re
from urllib.parse import urljoin

import httpx2
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

import openapi
from api.problems.types import ALL_PROBLEM_TYPES
from core.settings import ROOT
from models import EventKind
from support.factories import JSON
from support.openapi_document import operations, resolved, responses

# These concern an unknown path, an unsupported method and a request that is not HTTP, so they belong to no operation.
UNDOCUMENTED = {
    *("not-found", "method-not-allowed", "malformed-request", "transfer-coding-not-supported"),
    *("draft-not-found", "draft-changed", "draft-being-sent", "commented-meanwhile"),  # of pages
}


@pytest.fixture(scope="module")
def document(app: FastAPI) -> JSON:
    return app.openapi()


def test_the_committed_copy_is_the_document() -> None:
    """After a change of the contract: `pipenv run openapi`."""
    assert (ROOT / "openapi.json").read_text() == openapi.document()


def test_the_document_is_openapi_3_1(document: JSON) -> None:
    """By the schema of the specification; the schemas in the document by their metaschema."""
    assert document["openapi"].startswith("3.1.")
    Draft202012Validator(OPENAPI_31).validate(document)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for operation in operations(document).values():
        for parameter in operation.get("parameters", ()):
            Draft202012Validator.check_schema(parameter["schema"])


def test_every_reference_has_a_target(document: JSON) -> None:
    references = set(re.findall(r"'\$ref': '([^']+)'", str(document)))
    assert "#/components/schemas/Problem" in references
    for reference in references:
        assert resolved(document, {"$ref": reference})


def test_every_component_is_used(document: JSON) -> None:
    references = set(re.findall(r"'\$ref': '([^']+)'", str(document)))
    components = {
        f"#/components/{section}/{name}"
        for section, parts in document["components"].items()
        if section != "securitySchemes"
        for name in parts
    }
    assert components - references == {f"#/components/examples/{slug}" for slug in UNDOCUMENTED}


def test_operations_are_named_for_generated_clients(document: JSON) -> None:
    assert set(operations(document)) == {
        "create_ticket",
        "list_tickets",
        "get_ticket",
        "change_ticket",
        "create_comment",
        "list_comments",
        "list_history",
        "put_ticket_by_external_id",
        "take_ticket",
        "release_ticket",
        "add_tag",
        "remove_tag",
        "add_participant",
        "remove_participant",
        "add_link",
        "remove_link",
        "set_reminder",
        "get_reminder",
        "delete_reminder",
        "list_reminders",
        "merge_ticket",
        "undo_merge",
        "open_follow_up",
        "get_me",
        "get_principal",
        "list_people",
        "create_person",
        "get_person",
        "change_person",
        "hand_over",
        "count_tickets",
        "list_tags",
        "rename_tag",
        "list_fields",
        "create_field",
        "get_field",
        "change_field",
        "list_sla_policies",
        "create_sla_policy",
        "get_sla_policy",
        "change_sla_policy",
        "recompute_sla_policy",
        "list_calendars",
        "create_calendar",
        "get_calendar",
        "change_calendar",
        "get_due",
        "get_worked",
        "propose_holidays",
        "list_groups",
        "create_group",
        "get_group",
        "change_group",
        "add_group_member",
        "remove_group_member",
        "list_keys",
        "create_key",
        "get_key",
        "revoke_key",
        "list_events",
        "list_ticket_events",
        "list_event_types",
        "list_webhooks",
        "create_webhook",
        "get_webhook",
        "change_webhook",
        "delete_webhook",
        "rotate_secret",
        "test_webhook",
        "list_deliveries",
        "replay_delivery",
        "start_replay",
        "get_replay",
        "list_rules",
        "create_rule",
        "try_rule",
        "get_rule",
        "change_rule",
        "delete_rule",
        "list_views",
        "create_view",
        "count_views",
        "get_view",
        "change_view",
        "delete_view",
        "list_canned_replies",
        "create_canned_reply",
        "get_canned_reply",
        "render_canned_reply",
        "change_canned_reply",
        "delete_canned_reply",
        "try_bulk_change",
        "start_bulk_change",
        "get_bulk_change",
        "get_numbers_now",
        "get_numbers_by_day",
        "get_numbers_by_value",
        "get_workflow",
        "livez",
        "readyz",
    }


def test_a_status_with_own_and_shared_problem_types_lists_all_of_them(document: JSON) -> None:
    listed = operations(document)["list_tickets"]["responses"]["503"]["content"]["application/problem+json"]["examples"]
    shared = document["components"]["responses"]["unavailable"]["content"]["application/problem+json"]["examples"]
    assert list(listed) == ["search-timeout", *shared]
    for_write = document["components"]["responses"]["unavailable-for-write"]["content"]["application/problem+json"]
    assert list(for_write["examples"]) == [*shared, "outcome-unknown"]


def test_every_refusal_is_a_problem_with_examples_of_it(document: JSON) -> None:
    for name, status, response in responses(document):
        if status < 400 or (name, status) == ("readyz", 503):
            continue
        content = response["content"]["application/problem+json"]
        assert set(response["content"]) == {"application/problem+json"}
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        examples = [resolved(document, example)["value"] for example in content["examples"].values()]
        assert examples
        for example in examples:
            assert example["status"] == status
            assert example["type"].removeprefix("/problems/") in response["description"]


def test_every_problem_type_is_documented_on_an_operation(document: JSON) -> None:
    documented = {
        slug
        for _, _, response in responses(document)
        for slug in response.get("content", {}).get("application/problem+json", {}).get("examples", ())
    }
    assert {problem_type.slug for problem_type in ALL_PROBLEM_TYPES} - documented == UNDOCUMENTED


def test_a_problem_lists_the_known_types_and_accepts_others(document: JSON) -> None:
    known = document["components"]["schemas"]["ProblemType"]["enum"]
    assert known == [problem_type.type for problem_type in ALL_PROBLEM_TYPES]
    problem = document["components"]["schemas"]["Problem"] | {"components": document["components"]}
    body = {"title": "x", "status": 418, "detail": "x", "instance": "urn:x", "request_id": "x"}
    for type_ in (*known, "/problems/of-a-later-release", "about:blank"):
        Draft202012Validator(problem).validate(body | {"type": type_})


def test_an_event_lists_the_known_types_and_details_and_accepts_others(document: JSON) -> None:
    components = document["components"]
    validator = Draft202012Validator(components["schemas"]["Event"] | {"components": components})
    event: JSON = {"version": 2, "actor": "anonymous", "created_at": "2026-03-02T12:33:41Z"}
    for type_, data in (
        ("created", {}),
        ("changed", {"text": {"from": "a", "to": "b"}, "status": {"from": "open", "to": "closed"}}),
        ("commented", {"comment_id": 1}),
        (
            "assigned",
            {
                "later": ["printer"],
                "assignee_id": {"from": None, "to": "key:crm"},
                "custom": {"floor": {"from": 1, "to": None}},
            },
        ),
    ):
        validator.validate(event | {"type": type_, "data": data})
    for wrong in ({"text": "b"}, {"subject": {"from": "a"}}, {"status": {"from": "open", "to": "gone"}}):
        assert not validator.is_valid(event | {"type": "changed", "data": wrong}), wrong


def test_every_example_of_a_response_is_valid(document: JSON) -> None:
    shown = set()
    for _, _, response in responses(document):
        for content in response.get("content", {}).values():
            schema = content["schema"] | {"components": document["components"]}
            for name, example in content.get("examples", {}).items():
                Draft202012Validator(schema).validate(resolved(document, example)["value"])
                shown.add(name)
    assert set(document["components"]["examples"]) - shown == UNDOCUMENTED


async def test_the_docs_load_nothing_from_other_hosts(client: httpx2.AsyncClient) -> None:
    html = (await client.get("/docs")).text
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)["']""", html)
    assert addresses
    for address in addresses:
        assert "//" not in address, address
        assert (await client.get(urljoin("/docs", address))).status_code == 200


def test_the_document_has_the_requests_of_webhooks(document: JSON) -> None:
    assert set(document["webhooks"]) == {*EventKind, "webhook.test"}
    for kind, operations_of_kind in document["webhooks"].items():
        content = operations_of_kind["post"]["requestBody"]["content"]["application/cloudevents+json"]
        schema = content["schema"] | {"components": document["components"]}
        Draft202012Validator(schema).validate(content["examples"][kind]["value"])
