"""The corpus reaches what it is to reach: where it found no place to put anything, it would find nothing wrong."""

from collections.abc import Awaitable, Callable, Iterable

from hostile.places import operations
from hostile.wire import Answer, Request
from support.factories import JSON

Endure = Callable[[Iterable[Request]], Awaitable[list[Answer]]]


async def test_a_request_in_which_nothing_is_wrong_is_carried_out(endure: Endure, document: JSON) -> None:
    answers = await endure(operation.request() for operation in operations(document))
    assert {answer.status for answer in answers} == {200, 201}


def test_parameters_and_fields_are_found(document: JSON) -> None:
    found = {operation.id: operation for operation in operations(document)}
    assert {"limit", "cursor", "status", "email", "q", "sort"} <= set(found["list_tickets"].parameters["query"])
    assert {"limit", "cursor"} <= set(found["list_comments"].parameters["query"])
    assert {"ticket_id"} == set(found["get_ticket"].parameters["path"])
    assert {"If-None-Match", "Cache-Control"} <= set(found["get_ticket"].parameters["header"])
    assert {"Idempotency-Key", "If-Match"} <= set(found["create_comment"].parameters["header"])
    assert {"subject", "text", "email"} <= set(found["create_ticket"].fields)
    assert {"subject", "text", "status"} <= set(found["change_ticket"].fields)
    assert {"email", "text", "status"} <= set(found["create_comment"].fields)


def test_what_asks_for_credentials_is_found(document: JSON) -> None:
    open_to_all = {operation.id for operation in operations(document) if not operation.asks_for_credentials}
    assert "livez" in open_to_all
    assert not open_to_all & {"list_tickets", "create_ticket", "get_ticket", "change_ticket", "create_comment"}
