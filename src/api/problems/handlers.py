"""Turns every error into application/problem+json (RFC 9457), by the one table in `api.problems.types`."""

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.http.headers import allowed_methods
from api.middleware.request_id import REQUEST_ID_HEADER, request_id
from api.middleware.security_headers import secured
from api.problems.types import PROBLEM_TYPES, STATUS_PROBLEMS, ProblemType, problem_type_for
from core import errors
from core.logs import FAILURE_KEY
from schemas.problem import MAX_PARTS, InvalidPart, Problem

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1

_EXAMPLE_ID: Final = "4f9d0c2e6b1a4d7c"
_HARMLESS_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Make the app answer every error as problem+json."""
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


def problem_body(kind: ProblemType, id_of_request: str) -> bytes:
    """Return what is said to who never got as far as a request."""
    return _problem(kind, id_of_request, {}).model_dump_json(exclude_none=True).encode()


def example(kind: ProblemType) -> dict[str, Any]:
    """Return a body of that kind, for those who read about it."""
    return _problem(kind, _EXAMPLE_ID, kind.extensions).model_dump(mode="json", exclude_none=True)


async def handle_service_error(request: Request, error: Exception) -> Response:
    """Return the answer for an error of the service."""
    match error:
        case errors.IllegalTransition():
            extensions = {"source": error.source, "target": error.target, "allowed": list(error.allowed)}
            return _response(request, PROBLEM_TYPES[type(error)], extensions)
        case errors.VersionMismatch():
            return _response(request, PROBLEM_TYPES[type(error)], headers={"ETag": f'"{error.current}"'})
        case errors.Unauthenticated():
            return _response(request, PROBLEM_TYPES[type(error)], headers={"WWW-Authenticate": _challenge(error)})
        case errors.RequestInProgress() | errors.SearchTimeout():
            return _response(request, PROBLEM_TYPES[type(error)], headers={"Retry-After": str(RETRY_AFTER_S)})
        case errors.Unavailable():
            _log.warning("request %s: %s: %s", request_id(request), type(error).__name__, error)
            return _response(request, PROBLEM_TYPES[type(error)], headers={"Retry-After": str(RETRY_AFTER_S)})
        case _:
            return _response(request, PROBLEM_TYPES[type(error)])


def _challenge(error: errors.Unauthenticated) -> str:
    """Return the challenge of RFC 6750. A request without credentials gets no error code."""
    return (
        f'Bearer realm="tickets", error="invalid_token", error_description="{error}"'
        if error.are_refused
        else ('Bearer realm="tickets"')
    )


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - how the handler was registered
    parts = error.errors()
    if any(part["type"] == "json_invalid" for part in parts):
        return problem_response(request, 400)
    # FastAPI hands on the raw body when the Content-Type does not say that it is JSON.
    if isinstance(error.body, bytes) and any(part["loc"] == ("body",) for part in parts):
        return problem_response(request, 415)
    return _response(
        request, PROBLEM_TYPES[RequestValidationError], {"errors": [_located(part) for part in parts[:MAX_PARTS]]}
    )


async def _http_error(request: Request, error: Exception) -> Response:
    """Tell what the framework refuses: no such path, method not allowed, body unreadable or too large."""
    assert isinstance(error, HTTPException)  # noqa: S101 - how the handler was registered
    if error.status_code == 405:
        return problem_response(request, 405, headers={"Allow": ", ".join(allowed_methods(request))})
    return problem_response(request, error.status_code, headers=error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    """Answer without saying what went wrong: that is in the log, once; the server need not say it again."""
    _log.error("request %s failed: %s", request_id(request), type(error).__name__, exc_info=error)
    request.scope[FAILURE_KEY] = error
    # This response is sent outside of `RequestIdMiddleware`, which adds these headers to all others.
    answer = _response(request, STATUS_PROBLEMS[500])
    answer.raw_headers = secured(answer.raw_headers, request.scope)
    return answer


def _response(
    request: Request,
    kind: ProblemType,
    extensions: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    problem = _problem(kind, request_id(request), extensions or {})
    return Response(
        problem.model_dump_json(exclude_none=True),
        kind.status,
        headers={REQUEST_ID_HEADER: request_id(request), **(headers or {})},
        media_type=MEDIA_TYPE,
    )


def _problem(kind: ProblemType, id_of_request: str, extensions: Mapping[str, Any]) -> Problem:
    return Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=kind.detail,
        instance=f"urn:request:{id_of_request}",
        request_id=id_of_request,
        **extensions,
    )


def _located(part: Mapping[str, Any]) -> InvalidPart:
    """Say what is wrong where, without repeating what was sent: a field's name only if it is a harmless one."""
    where, *steps = (str(step) for step in part["loc"])
    path = [step for step in steps if _HARMLESS_NAME.fullmatch(step)]
    detail = "unknown field" if part["type"] == "extra_forbidden" else str(part["msg"])
    if where == "body":
        return InvalidPart(detail=detail, pointer="".join(["#", *(f"/{step}" for step in path)]))
    return InvalidPart(detail=detail, parameter=path[0] if path else where)
