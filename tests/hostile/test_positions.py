"""The hostile requests reach every operation. Without a position to put values into, the other tests would pass."""

from collections.abc import Awaitable, Callable, Iterable

from hostile.positions import operations
from hostile.wire import Request, Response
from support.factories import JSON

Endure = Callable[[Iterable[Request]], Awaitable[list[Response]]]


async def test_a_valid_request_succeeds(endure: Endure, document: JSON) -> None:
    responses = await endure(operation.request() for operation in operations(document))
    assert {response.status for response in responses} == {200, 201}


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


def test_operations_that_require_credentials_are_found(document: JSON) -> None:
    public = {operation.id for operation in operations(document) if not operation.needs_credentials}
    assert "livez" in public
    assert not public & {"list_tickets", "create_ticket", "get_ticket", "change_ticket", "create_comment"}
