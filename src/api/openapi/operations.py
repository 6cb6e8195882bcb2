"""The operations of the OpenAPI document: what FastAPI derives from a route, completed."""

from typing import Final

from api.openapi import JSON
from api.openapi.code_samples import code_samples
from api.openapi.components import SECURITY_SCHEMES
from api.openapi.schemas import remove_null
from api.paths import PUBLIC, roles_for, scope_for
from models import Role

ANYONE: Final = "anyone"
"""The only entry of `x-roles` for an operation that requires no credentials."""
ANY: Final = "any"
"""The `x-scope` of an operation that requires credentials, but no scope."""

# OpenAPI links: the operations that can follow a response, by operation and status.
_CHANGE_IF_UNCHANGED: Final = {
    f"{name}_if_unchanged": {
        "operationId": name,
        "parameters": {"path.ticket_id": "$response.body#/id", "header.If-Match": "$response.header.ETag"},
    }
    for name in ("change_ticket", "create_comment")
}
_CURSOR: Final = {"query.cursor": "$response.body#/next_cursor"}
_SAME_TICKET: Final = {"path.ticket_id": "$request.path.ticket_id"}
_LINKS: Final[dict[tuple[str, str], JSON]] = {
    ("create_ticket", "201"): _CHANGE_IF_UNCHANGED,
    ("get_ticket", "200"): _CHANGE_IF_UNCHANGED,
    ("change_ticket", "200"): _CHANGE_IF_UNCHANGED,
    ("list_tickets", "200"): {"next_page": {"operationId": "list_tickets", "parameters": _CURSOR}},
    ("list_comments", "200"): {"next_page": {"operationId": "list_comments", "parameters": _SAME_TICKET | _CURSOR}},
    **{
        (name, "200"): {"next_page": {"operationId": name, "parameters": _CURSOR}}
        for name in ("list_people", "list_groups", "list_keys", "list_reminders", "list_canned_replies")
    },
    ("list_deliveries", "200"): {
        "next_page": {
            "operationId": "list_deliveries",
            "parameters": {"path.webhook_id": "$request.path.webhook_id"} | _CURSOR,
        }
    },
    ("create_webhook", "201"): {
        name: {"operationId": name, "parameters": {"path.webhook_id": "$response.body#/id"}}
        for name in ("test_webhook", "list_deliveries")
    },
    ("list_history", "200"): {"next_page": {"operationId": "list_history", "parameters": _SAME_TICKET | _CURSOR}},
}


def complete(operation: JSON, method: str, path: str) -> None:
    """Complete an operation in place."""
    roles = roles_of(path, method)
    is_open = roles == [ANYONE]
    # The docstring of a route: a sentence that is the summary, then the description.
    summary, _, description = operation["description"].partition("\n\n")
    paragraphs = [paragraph.replace("\n", " ") for paragraph in description.split("\n\n")]
    required = "**Roles:** anyone, without credentials."
    if not is_open:
        operation["x-scope"] = scope_for(path, method.upper()) or ANY
        required = f"**Roles:** {', '.join(roles)}. **Scope:** {operation['x-scope']}."
    operation |= {
        "summary": summary.removesuffix("."),
        "description": "\n\n".join([*paragraphs, required]),
        "security": [] if is_open else [{name: []} for name in SECURITY_SCHEMES],
        "x-roles": roles,
    }
    for parameter in operation.get("parameters", ()):
        remove_null(parameter["schema"])
    for status, response in operation["responses"].items():
        if "$ref" in response:
            del response["description"]  # FastAPI adds one, which would replace that of the component
        if links := _LINKS.get((operation["operationId"], status)):
            response["links"] = links
    operation["x-codeSamples"] = code_samples(operation, method, path)


def roles_of(path: str, method: str) -> list[str]:
    """Return the roles that have access to an operation of the document."""
    if path in PUBLIC:
        return [ANYONE]
    return [role.value for role in Role if role in roles_for(path, method.upper())]
