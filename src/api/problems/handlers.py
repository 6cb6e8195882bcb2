"""Exception handlers: every error becomes application/problem+json (RFC 9457) by the table in `api.problems.types`."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.http.headers import allowed_methods
from api.middleware.cors import cors_headers
from api.middleware.request_id import REQUEST_ID_HEADER, request_id
from api.middleware.security_headers import secured
from api.problems.messages import message_of
from api.problems.problem_type import ProblemType
from api.problems.types import PROBLEM_TYPES, STATUS_PROBLEMS, problem_type_for
from core import errors, service_level_errors, ticket_errors
from core.logs import FAILURE_KEY
from schemas.problem import MAX_PARTS, InvalidPart, Problem

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1

_REALM: Final = 'Bearer realm="tickets"'
_EXAMPLE_ID: Final = "4f9d0c2e6b1a4d7c"
_HARMLESS_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Register the handlers with the app."""
    app.add_exception_handler(errors.ServiceError, handle_service_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def problem_response(request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return the problem response of a status code."""
    return _response(request, problem_type_for(status), headers=headers)


def error_response(request: Request, error: type[Exception], headers: Mapping[str, str] | None = None) -> Response:
    """Return the problem response of a type of service error."""
    return _response(request, PROBLEM_TYPES[error], headers=headers)


def problem_body(problem_type: ProblemType, request_id: str) -> bytes:
    """Return the JSON body of a problem for which the application received no request."""
    return _problem(problem_type, request_id, {}).model_dump_json(exclude_none=True).encode()


def example(problem_type: ProblemType) -> dict[str, Any]:
    """Return an example body, for the OpenAPI document and the pages."""
    return _problem(problem_type, _EXAMPLE_ID, problem_type.extensions).model_dump(mode="json", exclude_none=True)


async def refusal_response(request: Request, error: Exception) -> Response:
    """Return the problem response of a service error or of an invalid request."""
    return await (_invalid_request if isinstance(error, RequestValidationError) else handle_service_error)(
        request, error
    )


async def handle_service_error(request: Request, error: Exception) -> Response:
    """Return the problem response of a service error."""
    if isinstance(error, errors.Unavailable):
        _log.warning("request %s: %s: %s", request_id(request), type(error).__name__, error)
    extensions, headers = _details(error)
    if parts := _parts_of(error):
        extensions["errors"] = parts[:MAX_PARTS]
    return _response(request, PROBLEM_TYPES[type(error)], extensions, headers)


def _details(error: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the additional members and headers of the response to a service error."""
    extensions: dict[str, Any] = {}
    headers: dict[str, str] = {}
    match error:
        case errors.IllegalTransition():
            extensions = {"source": error.source, "target": error.target, "allowed": list(error.allowed)}
        case ticket_errors.AlreadyAssigned():
            extensions = {"assignee_id": error.assignee_id}
        case errors.EventsGone():
            extensions = {"first_cursor": error.first_cursor}
        case ticket_errors.MergeNotPossible():
            extensions = {"reason": error.reason}
        case errors.InsufficientScope():
            extensions = {"scope": error.scope}
            headers = {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{error.scope}"'}
        case errors.Unauthenticated():
            headers = {"WWW-Authenticate": _challenge(error)}
        case errors.VersionMismatch():
            headers = {"ETag": f'"{error.current}"'}
        case errors.RequestInProgress() | errors.SearchTimeout() | errors.Unavailable():
            headers = {"Retry-After": str(RETRY_AFTER_S)}
    return extensions, headers


def _parts_of(error: Exception) -> list[InvalidPart]:
    """Return the parts of the request that a service error is about."""
    match error:
        case errors.AlreadyExists():
            return [InvalidPart(detail="must be unique", pointer=f"#/{error.field}")]
        case (
            errors.InvalidReference()
            | errors.Forbidden()
            | errors.InvalidFields()
            | service_level_errors.InvalidCalendar()
        ):
            return [_part_at(fault.steps, fault.detail) for fault in error.faults]
        case ticket_errors.RemindAtRefused():
            return [InvalidPart(detail="must be in the future, within ten years", pointer="#/remind_at")]
        case errors.FieldsRequired():
            detail = f"is required to {error.at} the ticket"
            return [InvalidPart(detail=detail, pointer=f"#/custom/{key}") for key in error.keys]
        case _:
            return []


def _challenge(error: errors.Unauthenticated) -> str:
    """Return the challenge of RFC 6750, without an error code if the request carried no credentials."""
    return f'{_REALM}, error="invalid_token", error_description="{error}"' if error.are_refused else _REALM


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - how the handler was registered
    invalid = error.errors()
    if any(part["type"] == "json_invalid" for part in invalid):
        return problem_response(request, 400)
    # FastAPI passes the raw body if the Content-Type is not JSON.
    if isinstance(error.body, bytes) and any(part["loc"] == ("body",) for part in invalid):
        return problem_response(request, 415)
    parts = [_invalid_part(part) for part in invalid[:MAX_PARTS]]
    return _response(request, PROBLEM_TYPES[RequestValidationError], {"errors": parts})


async def _http_error(request: Request, error: Exception) -> Response:
    """Return the response for a refusal of the framework: unknown path or method, unreadable or too large body."""
    assert isinstance(error, HTTPException)  # noqa: S101 - how the handler was registered
    if error.status_code == 405:
        return problem_response(request, 405, headers={"Allow": ", ".join(allowed_methods(request))})
    return problem_response(request, error.status_code, headers=error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    """Log the error and return a response without its details; FAILURE_KEY keeps the server from logging it again."""
    _log.error("request %s failed: %s", request_id(request), type(error).__name__, exc_info=error)
    request.scope[FAILURE_KEY] = error
    # This response is sent outside of `RequestIdMiddleware`, which adds these headers to all others.
    response = _response(request, STATUS_PROBLEMS[500], headers=cors_headers(request))
    response.raw_headers = secured(response.raw_headers, request.scope)
    return response


def _response(
    request: Request,
    problem_type: ProblemType,
    extensions: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    problem = _problem(problem_type, request_id(request), extensions or {})
    return Response(
        problem.model_dump_json(exclude_none=True),
        problem_type.status,
        headers={REQUEST_ID_HEADER: request_id(request), **(headers or {})},
        media_type=MEDIA_TYPE,
    )


def _problem(problem_type: ProblemType, request_id: str, extensions: Mapping[str, Any]) -> Problem:
    return Problem(
        type=problem_type.type,
        title=problem_type.title,
        status=problem_type.status,
        detail=problem_type.detail,
        instance=f"urn:request:{request_id}",
        request_id=request_id,
        **extensions,
    )


def _invalid_part(error: Mapping[str, Any]) -> InvalidPart:
    """Return where a validation error is and what it is."""
    # A rule on several members names the one that is wrong.
    member = error.get("ctx", {}).get("member")
    return _part_at((*error["loc"], *([] if member is None else [member])), message_of(error))


def _part_at(place: Sequence[str | int], detail: str) -> InvalidPart:
    """Return an invalid part without the input: only harmless field names are repeated."""
    location, *steps = map(str, place)
    path = [step for step in steps if _HARMLESS_NAME.fullmatch(step)]
    if location == "body":
        return InvalidPart(detail=detail, pointer="".join(["#", *(f"/{step}" for step in path)]))
    return InvalidPart(detail=detail, parameter=path[0] if path else location)
