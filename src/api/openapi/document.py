"""The OpenAPI document: what FastAPI derives from the routes, completed from the tables of this package."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI

from api.openapi.examples import ANSWERS
from api.openapi.headers import HEADERS
from api.problems.handlers import example
from api.problems.types import ALL
from schemas.problem import Problem

JSON = dict[str, Any]

DESCRIPTION: Final = """\
Open tickets, discuss them in comments, and move them through a status machine that `GET /workflow` shows.

- **Credentials.** Send `Authorization: Bearer` with an API key or a token. An agent works on every ticket; a requester
  sees those of their own address alone, and what is foreign is as if it were not there.
- **Versions.** Every change of a ticket, a comment included, makes one new version, which is its `ETag`. Send it back
  in `If-Match`, and a change is refused (412) if somebody else came first.
- **Safe retries.** Send a POST with an `Idempotency-Key` of your own: sent again with the same key, within 24 hours,
  it is carried out once and answered as before.
- **Lists** come in pages: follow `Link: <…>; rel="next"`, or ask again with `cursor` set to `next_cursor`.
- **Refusals** are `application/problem+json` (RFC 9457); [each type](/problems) has a page that says what to do.
- **Limits.** Where the number of requests is limited, each answer says in `RateLimit` how many are left; who comes
  too often is refused (429) and told in `Retry-After` when to come again.
- **Times** are RFC 3339, in UTC.
"""

TAGS: Final = [
    {"name": "tickets", "description": "Open, find, read, edit and move tickets, and see what became of them."},
    {"name": "comments", "description": "The discussion of a ticket. A reply can move it to another status."},
    {"name": "workflow", "description": "The status machine, for programs and for people."},
    {"name": "operation", "description": "Probes, for whoever runs the service."},
]

# What can be done next with an answer (OpenAPI's links), by operation and status.
_IF_UNCHANGED: Final = {
    f"{name}_if_unchanged": {
        "operationId": name,
        "parameters": {"path.ticket_id": "$response.body#/id", "header.If-Match": "$response.header.ETag"},
    }
    for name in ("change_ticket", "create_comment")
}
_CURSOR: Final = {"query.cursor": "$response.body#/next_cursor"}
_OF_TICKET: Final = {"path.ticket_id": "$request.path.ticket_id"}
LINKS: Final[dict[tuple[str, str], JSON]] = {
    ("create_ticket", "201"): _IF_UNCHANGED,
    ("get_ticket", "200"): _IF_UNCHANGED,
    ("change_ticket", "200"): _IF_UNCHANGED,
    ("list_tickets", "200"): {"next_page": {"operationId": "list_tickets", "parameters": _CURSOR}},
    ("list_comments", "200"): {"next_page": {"operationId": "list_comments", "parameters": _OF_TICKET | _CURSOR}},
    ("list_history", "200"): {"next_page": {"operationId": "list_history", "parameters": _OF_TICKET | _CURSOR}},
}

SECURITY: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`tk_…`) or a token of the issuer that the service trusts.",
    }
}

_SCHEMAS: Final = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Make the app's document complete."""
    derive = app.openapi

    def complete() -> JSON:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(derive())
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign] # FastAPI's documented way to extend the document


def _completed(document: JSON) -> JSON:
    for operation in _operations(document):
        # A route's docstring: what it does in one sentence, and below that what one should know.
        summary, _, description = operation["description"].partition("\n\n")
        operation |= {"summary": summary.removesuffix("."), "description": description.replace("\n", " ")}
        if "401" in operation["responses"]:
            operation["security"] = [{name: []} for name in SECURITY]
        for status, response in operation["responses"].items():
            if links := LINKS.get((operation["operationId"], status)):
                response["links"] = links
        for parameter in operation.get("parameters", ()):
            _never_null(parameter)
    problem = Problem.model_json_schema(ref_template=_SCHEMAS, mode="serialization")
    problems = problem.pop("$defs") | {"Problem": problem}
    for schema in problems.values():
        _never_null(schema)
    components = document["components"]
    components["schemas"] |= problems
    components["headers"] = HEADERS
    components["securitySchemes"] = SECURITY
    components["examples"] = {name: {"value": value} for name, value in ANSWERS.items()} | {
        kind.slug: {"summary": kind.title, "value": example(kind)} for kind in ALL
    }
    return document


def _operations(document: JSON) -> Iterator[JSON]:
    for path in document["paths"].values():
        yield from path.values()


def _never_null(part: JSON) -> None:
    """Say of what may be missing only that: a header, a query and a problem's member are never null."""
    for schema in [part["schema"]] if "schema" in part else part["properties"].values():
        kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            del schema["anyOf"]
            schema.update(kinds[0])
        if schema.get("default", ...) is None:
            del schema["default"]
