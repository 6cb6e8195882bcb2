"""The responses of each operation in the OpenAPI document."""

import pytest
from fastapi import FastAPI

from support.factories import JSON
from support.openapi_document import operations

# The refusals of every operation, of those that require credentials, of those with parameters, of those that write.
EVERY_OPERATION = {413, 414, 431, 500}
PROTECTED = EVERY_OPERATION | {401, 403, 406, 408, 421, 429, 503}
READS = PROTECTED | {422}
WRITES = READS | {400, 415}


@pytest.fixture(scope="module")
def document(app: FastAPI) -> JSON:
    return app.openapi()


def test_every_response_is_documented(document: JSON) -> None:
    assert {
        name: {int(status) for status in operation["responses"]} for name, operation in operations(document).items()
    } == {
        "create_ticket": {201, 409} | WRITES,
        "list_tickets": {200} | READS,
        "get_ticket": {200, 304, 404} | READS,
        "change_ticket": {200, 404, 409, 412} | WRITES,
        "create_comment": {201, 404, 409, 412} | WRITES,
        "list_comments": {200, 404} | READS,
        "list_history": {200, 404} | READS,
        "put_ticket_by_external_id": {200, 201} | WRITES,
        "take_ticket": {200, 404, 409, 412} | WRITES,
        "release_ticket": {200, 404, 409, 412} | WRITES,
        "add_tag": {200, 404, 409, 412} | WRITES,
        "remove_tag": {200, 404, 409, 412} | WRITES,
        "add_participant": {200, 404, 409, 412} | WRITES,
        "remove_participant": {200, 404, 409, 412} | WRITES,
        "add_link": {200, 404, 409, 412} | WRITES,
        "remove_link": {200, 404, 409, 412} | WRITES,
        "merge_ticket": {200, 404, 409, 412} | WRITES,
        "undo_merge": {201, 404, 409, 412} | WRITES,
        "open_follow_up": {201, 404, 409, 412} | WRITES,
        "get_me": {200} | PROTECTED,
        "get_principal": {200, 404} | READS,
        "list_people": {200} | READS,
        "create_person": {201, 409} | WRITES,
        "get_person": {200, 404} | READS,
        "list_fields": {200} | READS,
        "create_field": {201, 409} | WRITES,
        "get_field": {200, 404} | READS,
        "change_field": {200, 404, 409, 412} | WRITES,
        "count_tickets": {200} | READS,
        "list_tags": {200} | READS,
        "rename_tag": {200, 409} | WRITES,
        "hand_over": {200, 404} | WRITES,
        "change_person": {200, 404, 409, 412} | WRITES,
        "list_groups": {200} | READS,
        "create_group": {201, 409} | WRITES,
        "get_group": {200, 404} | READS,
        "change_group": {200, 404, 409, 412} | WRITES,
        "add_group_member": {200, 404} | READS,
        "remove_group_member": {200, 404} | READS,
        "list_keys": {200} | READS,
        "create_key": {201, 409} | WRITES,
        "get_key": {200, 404} | READS,
        "revoke_key": {200, 404, 409} | READS,
        "list_events": {200, 404, 410} | READS,
        "list_ticket_events": {200, 404, 410} | READS,
        "list_event_types": {200} | PROTECTED,
        "list_webhooks": {200} | READS,
        "create_webhook": {201, 409} | WRITES,
        "get_webhook": {200, 404} | READS,
        "change_webhook": {200, 404, 412} | WRITES,
        "delete_webhook": {200, 404, 412} | READS,
        "rotate_secret": {200, 404} | READS,
        "test_webhook": {200, 404} | READS,
        "list_rules": {200} | READS,
        "create_rule": {201, 409} | WRITES,
        "try_rule": {200} | WRITES,
        "get_rule": {200, 404} | READS,
        "change_rule": {200, 404, 409, 412} | WRITES,
        "delete_rule": {200, 404, 412} | READS,
        "list_deliveries": {200, 404} | READS,
        "replay_delivery": {202, 404} | READS,
        "start_replay": {202, 404} | WRITES,
        "get_replay": {200, 404} | READS,
        "get_workflow": {200} | PROTECTED,
        "livez": {200} | EVERY_OPERATION,
        "readyz": {200, 503} | EVERY_OPERATION,
    }


def test_an_operation_describes_its_own_responses_and_refers_to_the_shared_ones(document: JSON) -> None:
    own = {
        name: [int(status) for status, response in operation["responses"].items() if "$ref" not in response]
        for name, operation in operations(document).items()
    }
    assert own == {
        "create_ticket": [201, 409, 422],
        "list_tickets": [200, 422, 503],
        "get_ticket": [200, 304, 404],
        "change_ticket": [200, 404, 409, 412, 422],
        "create_comment": [201, 404, 409, 412, 422],
        "list_comments": [200, 404, 422],
        "list_history": [200, 404, 422],
        "put_ticket_by_external_id": [200, 201, 422],
        "take_ticket": [200, 404, 409, 412],
        "release_ticket": [200, 404, 409, 412],
        "add_tag": [200, 404, 409, 412],
        "remove_tag": [200, 404, 409, 412],
        "add_participant": [200, 404, 409, 412],
        "remove_participant": [200, 404, 409, 412],
        "add_link": [200, 404, 409, 412, 422],
        "remove_link": [200, 404, 409, 412, 422],
        "merge_ticket": [200, 404, 409, 412, 422],
        "undo_merge": [201, 404, 409, 412],
        "open_follow_up": [201, 404, 409, 412, 422],
        "get_me": [200],
        "get_principal": [200, 404],
        "list_people": [200, 422],
        "create_person": [201, 409],
        "get_person": [200, 404],
        "list_fields": [200],
        "create_field": [201, 409],
        "get_field": [200, 404],
        "change_field": [200, 404, 409, 412, 422],
        "count_tickets": [200, 422, 503],
        "list_tags": [200, 422],
        "rename_tag": [200, 409],
        "hand_over": [200, 404, 422],
        "change_person": [200, 404, 409, 412, 422],
        "list_groups": [200, 422],
        "create_group": [201, 409, 422],
        "get_group": [200, 404],
        "change_group": [200, 404, 409, 412, 422],
        "add_group_member": [200, 404, 422],
        "remove_group_member": [200, 404],
        "list_keys": [200, 422],
        "create_key": [201, 409, 422],
        "get_key": [200, 404],
        "revoke_key": [200, 404, 409],
        "list_events": [200, 404, 410, 422, 503],
        "list_ticket_events": [200, 404, 410, 422, 503],
        "list_event_types": [200],
        "list_webhooks": [200],
        "create_webhook": [201, 409, 422],
        "get_webhook": [200, 404],
        "change_webhook": [200, 404, 412, 422],
        "delete_webhook": [200, 404, 412],
        "rotate_secret": [200, 404],
        "test_webhook": [200, 404],
        "list_rules": [200],
        "create_rule": [201, 409, 422],
        "try_rule": [200, 422],
        "get_rule": [200, 404],
        "change_rule": [200, 404, 409, 412, 422],
        "delete_rule": [200, 404, 412],
        "list_deliveries": [200, 404, 422],
        "replay_delivery": [202, 404],
        "start_replay": [202, 404, 422],
        "get_replay": [200, 404],
        "get_workflow": [200],
        "livez": [200],
        "readyz": [200, 503],
    }
    for name, operation in operations(document).items():
        assert [int(status) for status in operation["responses"]][: len(own[name])] == own[name]
        for response in operation["responses"].values():
            assert "$ref" not in response or set(response) == {"$ref"}
