"""The OpenAPI document: what FastAPI derives from the routes, completed from the tables of this package."""

import json
from functools import lru_cache
from hashlib import sha256
from typing import Final

from fastapi import FastAPI, Request, Response

from api.http.conditional import has_tag, joined
from api.openapi import JSON
from api.openapi.components import components
from api.openapi.operations import complete
from api.openapi.request_bodies import EXAMPLES
from api.openapi.webhook_events import webhooks

DESCRIPTION: Final = """\
Create tickets, discuss them in comments, and move them through a status machine that `GET /workflow` returns.

- **Authentication.** Send `Authorization: Bearer` with an API key or a token of the configured issuer. Each operation
  lists the roles that can call it, for programs in `x-roles`. An agent works on all tickets. A requester works on the
  tickets of their own email address; other tickets do not exist for them (404). An admin does what an agent does, and
  manages people, groups and keys. A monitor reads `/metrics` and `GET /me` only. An API key can be restricted to some
  scopes: each operation lists the one that it requires, for programs in `x-scope`; `write` includes `comment`.
- **Versions.** Each change of a ticket, a new comment included, creates one new version, which is the `ETag` of the
  ticket. Send it in `If-Match` to refuse the change (412) if another client has changed the ticket since.
- **Safe retries.** Send an `Idempotency-Key` with a POST of a ticket or a comment. Within 24 hours, a repeated request
  with the same key has no further effect and returns the response of the first one.
- **Lists** have pages: follow `Link: <…>; rel="next"`, or send `next_cursor` as `cursor`.
- **Errors** are `application/problem+json` (RFC 9457). [Each type](/problems) has a page with its meaning and what to
  do.
- **Rate limits.** If the service has a rate limit, responses carry the remaining quota in `RateLimit`. A request above
  the limit is refused (429), and `Retry-After` gives the seconds to wait.
- **Times** are RFC 3339, in UTC.
- **Samples** read the URL of the service from the environment variable `TICKETS_URL`, for example
  `http://127.0.0.1:8000`, and an API key from `TICKETS_KEY`.

### Versioning and deprecation

This document describes version 1. Within version 1, the following may be added without notice; clients have to
tolerate it:

- operations, optional parameters and optional fields of requests
- members and headers of responses
- problem types, and values of a field whose schema also accepts any other string, such as `type` of an event

Within version 1, the following does not change:

- paths, methods and operation ids
- names, types and meanings of existing fields, parameters and headers
- the parameters and fields that a request requires
- the problem type and the status code of an existing error

Operations, parameters and fields that a later version will not have are marked `deprecated` in this document at least
6 months before their removal. Responses announce it in the headers `Deprecation` (RFC 9745) and `Sunset` (RFC 8594).
"""

TAGS: Final = [
    {"name": "tickets", "description": "Create, list, read and change tickets, and read their history."},
    {"name": "comments", "description": "The comments of a ticket. A comment can change the status of its ticket."},
    {
        "name": "people",
        "description": "The people of the service, the caller, and the principals that events name. Admins write, "
        "agents read.",
    },
    {"name": "groups", "description": "Groups of agents and admins. Admins write, agents read."},
    {"name": "keys", "description": "API keys, for admins."},
    {"name": "tags", "description": "Tags, by which agents sort tickets."},
    {"name": "participants", "description": "Email addresses that see a ticket and comment on it."},
    {"name": "links", "description": "Links between tickets, merges, and follow-ups of closed tickets."},
    {"name": "reminders", "description": "Reminders of agents on tickets, which can snooze them."},
    {"name": "fields", "description": "The definitions of custom fields. Admins manage them."},
    {
        "name": "service levels",
        "description": "Policies, which promise tickets times. Admins write, agents read.",
    },
    {
        "name": "calendars",
        "description": "Calendars of working hours, and the arithmetic of working time. Admins write, agents read.",
    },
    {
        "name": "webhooks",
        "description": "Webhooks, which send events to the addresses of other programs, their deliveries and replays. "
        "For admins.",
    },
    {
        "name": "rules",
        "description": "Rules: what the service does by itself to new and changed tickets. Admins write, agents read.",
    },
    {
        "name": "views",
        "description": "Saved views: names for queries of the list of tickets, of one agent or of all.",
    },
    {"name": "numbers", "description": "Numbers of tickets: now, by day, and by person, group or tag. For agents."},
    {"name": "canned replies", "description": "Canned replies: texts that agents insert into their replies."},
    {"name": "events", "description": "What happened, in one order: pages, streams and the catalogue of the types."},
    {"name": "workflow", "description": "The status machine of tickets."},
    {"name": "operation", "description": "Probes for load balancers and orchestrators."},
]

_SERVERS: Final = [{"url": "/", "description": "The service that serves this document."}]


def install(app: FastAPI) -> None:
    """Complete the document of the app."""
    derive = app.openapi

    def openapi() -> JSON:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(derive())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend the document
    _serve(app)


def _serve(app: FastAPI) -> None:
    """Serve the document with validators, in place of FastAPI's route, which renders it for each request."""

    @lru_cache(maxsize=1)
    def rendered(root_path: str) -> tuple[bytes, str]:
        document = app.openapi()
        if root_path:
            document = document | {"servers": [{"url": root_path}, *document["servers"]]}
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return body, sha256(body).hexdigest()[:16]

    async def serve(request: Request) -> Response:
        body, tag = rendered(request.scope.get("root_path", "").rstrip("/"))
        headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
        if has_tag(joined(request.headers, "If-None-Match"), tag):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    assert app.openapi_url is not None  # noqa: S101 - FastAPI's default
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", None) != app.openapi_url]
    app.add_route(app.openapi_url, serve, include_in_schema=False)


def _completed(document: JSON) -> JSON:
    document["components"] = components(document["components"]["schemas"])
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _restore_examples(operation)
            complete(operation, method, path)
    head = {name: document[name] for name in ("openapi", "info")}
    return head | {"servers": _SERVERS} | document | {"webhooks": webhooks()}


def _restore_examples(operation: JSON) -> None:
    """Put the examples of the body back as they were written: FastAPI leaves out their members that are null."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["examples"] = EXAMPLES[content["schema"]["$ref"].rpartition("/")[2]]
