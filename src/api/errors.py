"""From errors to answers: the only table of HTTP statuses, and problem+json (RFC 9457) for everything refused."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.openapi import allowed_methods
from api.request_id import REQUEST_ID_HEADER, request_id
from core import errors
from schemas.problem import InvalidPart, Problem

RETRY_AFTER_S: Final = 1


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kind:
    """How one kind of error is told: its status, the last part of its `type`, and what it says to everyone."""

    status: int
    slug: str
    title: str
    detail: str


KINDS: Final[Mapping[type[Exception], Kind]] = {
    errors.TicketNotFound: Kind(404, "ticket-not-found", "No such ticket", "There is no ticket with this id."),
    errors.TicketClosed: Kind(
        409, "ticket-closed", "The ticket is closed", "Closed is final: a closed ticket takes no edit and no comment."
    ),
    errors.IllegalTransition: Kind(
        409, "illegal-transition", "Illegal transition", "The ticket's status may not become the one asked for."
    ),
    errors.VersionMismatch: Kind(
        412, "version-mismatch", "The ticket has changed", "The ticket is no longer at the version in If-Match."
    ),
    errors.SearchTimeout: Kind(
        503, "search-timeout", "The search took too long", "Search for rarer words, or add filters."
    ),
    errors.InvalidCursor: Kind(
        422, "invalid-cursor", "Invalid cursor", "Use a cursor exactly as a page of this list gave it."
    ),
    errors.RequestInProgress: Kind(
        409,
        "request-in-progress",
        "The request is in progress",
        "A request with this Idempotency-Key is being carried out right now; send it again a little later.",
    ),
    errors.IdempotencyKeyReused: Kind(
        422,
        "idempotency-key-reused",
        "The idempotency key was used before",
        "This Idempotency-Key belongs to another request; choose a new one for each request.",
    ),
    errors.DatabaseUnavailable: Kind(
        503, "database-unavailable", "The database is unavailable", "Nothing is wrong with the request; try again."
    ),
    errors.OutcomeUnknown: Kind(
        503,
        "outcome-unknown",
        "The outcome is unknown",
        "The database went away while it committed: look whether it was done before you repeat it.",
    ),
    RequestValidationError: Kind(
        422, "invalid-request", "The request is invalid", "One or more parts of the request are not as documented."
    ),
}

# What the framework refuses before a route is reached, by status.
_PLAIN: Final[Mapping[int, Kind]] = {
    kind.status: kind
    for kind in (
        Kind(400, "malformed-json", "The body is not JSON", "The body could not be read as JSON in UTF-8."),
        Kind(404, "not-found", "Nothing here", "There is nothing at this path; /docs lists what there is."),
        Kind(405, "method-not-allowed", "Method not allowed", "This path does not take this method; see Allow."),
        Kind(406, "not-acceptable", "Not acceptable", "The answers here are JSON, which Accept does not name."),
        Kind(413, "content-too-large", "The body is too large", "A body has at most 1 MiB."),
        Kind(415, "unsupported-media-type", "Unsupported media type", "Send JSON, as Content-Type: application/json."),
        Kind(500, "internal-error", "Internal error", "The service failed; its operators find why by the request_id."),
    )
}

_MEDIA_TYPE: Final = "application/problem+json"
_HARMLESS_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def install(app: FastAPI) -> None:
    """Make the app answer every error as problem+json."""
    app.add_exception_handler(errors.ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def responses(*kinds: type[Exception], body: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return what a route's `responses=` says of the errors it names, and of those that every such route can give."""
    told_by_status = [_PLAIN[status] for status in (400, 413, 415)] if body else []
    told_by_error = [KINDS[error] for error in (*kinds, RequestValidationError, errors.DatabaseUnavailable)]
    documented: dict[int | str, dict[str, Any]] = {}
    for kind in sorted(told_by_status + told_by_error, key=lambda kind: kind.status):
        titles = [documented[kind.status]["description"]] if kind.status in documented else []
        documented[kind.status] = {
            "description": ". ".join([*titles, kind.title]),
            "content": {_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return documented


async def _service_error(request: Request, error: Exception) -> Response:
    match error:
        case errors.IllegalTransition():
            particulars = {"source": error.source, "target": error.target, "allowed": list(error.allowed)}
            return _told(request, KINDS[type(error)], particulars)
        case errors.VersionMismatch():
            return _told(request, KINDS[type(error)], headers={"ETag": f'"{error.current}"'})
        case errors.RequestInProgress():
            return _told(request, KINDS[type(error)], headers={"Retry-After": str(RETRY_AFTER_S)})
        case errors.Unavailable():
            _log.warning("request %s: %s: %s", request_id(request), type(error).__name__, error)
            return _told(request, KINDS[type(error)], headers={"Retry-After": str(RETRY_AFTER_S)})
        case _:
            return _told(request, KINDS[type(error)])


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - how the handler was registered
    parts = error.errors()
    if any(part["type"] == "json_invalid" for part in parts):
        return told(request, 400)
    # FastAPI hands on the raw body when the Content-Type does not say that it is JSON.
    if isinstance(error.body, bytes) and any(part["loc"] == ("body",) for part in parts):
        return told(request, 415)
    return _told(request, KINDS[RequestValidationError], {"errors": [_located(part) for part in parts]})


async def _http_error(request: Request, error: Exception) -> Response:
    """Tell what the framework refuses: no such path, method not allowed, body unreadable or too large."""
    assert isinstance(error, HTTPException)  # noqa: S101 - how the handler was registered
    if error.status_code == 405:
        return told(request, 405, headers={"Allow": ", ".join(allowed_methods(request))})
    return told(request, error.status_code, headers=error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    """Answer without saying what went wrong; the server logs the trace, this its request."""
    _log.error("request %s failed: %s", request_id(request), type(error).__name__)
    return told(request, 500)


def told(request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer for what was refused by its status alone."""
    return _told(request, _PLAIN.get(status) or _unnamed(status), headers=headers)


def _unnamed(status: int) -> Kind:
    phrase = HTTPStatus(status).phrase
    return Kind(status, f"http-{status}", phrase, f"{phrase}.")


def _told(
    request: Request,
    kind: Kind,
    particulars: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    problem = Problem(
        type=f"/problems/{kind.slug}",
        title=kind.title,
        status=kind.status,
        detail=kind.detail,
        instance=f"urn:request:{request_id(request)}",
        request_id=request_id(request),
        **particulars or {},
    )
    content = problem.model_dump_json(exclude_none=True)
    return Response(
        content,
        kind.status,
        headers={REQUEST_ID_HEADER: request_id(request), **(headers or {})},
        media_type=_MEDIA_TYPE,
    )


def _located(part: Mapping[str, Any]) -> InvalidPart:
    """Say what is wrong where, without repeating what was sent: a field's name only if it is a harmless one."""
    where, *steps = (str(step) for step in part["loc"])
    path = [step for step in steps if _HARMLESS_NAME.fullmatch(step)]
    detail = "unknown field" if part["type"] == "extra_forbidden" else str(part["msg"])
    if where == "body":
        return InvalidPart(detail=detail, pointer="".join(["#", *(f"/{step}" for step in path)]))
    return InvalidPart(detail=detail, parameter=path[0] if path else where)
