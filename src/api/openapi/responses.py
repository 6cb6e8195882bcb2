"""The responses of each operation: its successes, its own refusals, and references to the refusals that are shared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi.exceptions import RequestValidationError

from api.openapi import JSON
from api.problems.handlers import MEDIA_TYPE
from api.problems.problem_type import ProblemType
from api.problems.types import PROBLEM_TYPES, STATUS_PROBLEMS
from core import errors
from schemas.problem import Problem

Refusal = type[Exception] | int
# The shared refusals, as error types or status codes: of every operation, of those that require credentials, of those
# that have parameters, of those that write, and of those that take a body.
EVERY_OPERATION: Final[Sequence[Refusal]] = (413, 414, 431, 500)
PROTECTED: Final[Sequence[Refusal]] = (
    *EVERY_OPERATION,
    406,
    408,
    errors.Unauthenticated,
    errors.Forbidden,
    errors.InsufficientScope,
    errors.HostNotAllowed,
    errors.RateLimited,
    errors.Overloaded,
    errors.DeadlineExceeded,
    errors.DatabaseUnavailable,
    errors.IssuerUnavailable,
)
READS: Final[Sequence[Refusal]] = (*PROTECTED, RequestValidationError)
MUTATES: Final[Sequence[Refusal]] = (*READS, errors.OutcomeUnknown)
WRITES: Final[Sequence[Refusal]] = (*MUTATES, 400, 415)

# Of the operations that take what agents work with and custom fields.
REFUSED_VALUES: Final[Sequence[Refusal]] = (errors.InvalidReference, errors.InvalidFields, errors.FieldsRequired)

_RATE_LIMIT: Final = ("RateLimit-Policy", "RateLimit")
# Headers that some responses of a status carry.
_OPTIONAL: Final = {415: ("Accept-Patch",)}
# Sent by components outside of the rate limit. A 413 can come from both sides of it.
_WITHOUT_RATE_LIMIT: Final = frozenset({401, 406, 414, 421, 431, 500})


@dataclass(frozen=True)
class ResponseDoc:
    """A response that is not a problem: its headers and the names of its examples.

    `schema` names the schema of the body if it is not the one that the route returns.
    """

    status: int
    description: str
    headers: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    schema: str | None = None


TICKET_CREATED: Final = ResponseDoc(
    201, "The created ticket.", ("Location", "ETag", "Idempotent-Replayed"), ("new-ticket",)
)
TICKET_PUT: Final = ResponseDoc(201, "The created ticket.", ("Location", "ETag"), ("new-ticket",), "Ticket")
TICKET_FOUND: Final = ResponseDoc(200, "The existing ticket, unchanged.", ("ETag",), ("new-ticket",))
TICKETS: Final = ResponseDoc(200, "A page of tickets.", ("Link",), ("tickets",))
COUNTS: Final = ResponseDoc(200, "The numbers of tickets.", (), ("counts",))
TAGS: Final = ResponseDoc(200, "A page of tags.", ("Link",), ("tags",))
TAG_RENAMED: Final = ResponseDoc(200, "What was renamed.", (), ("tag-renamed",))
TICKET: Final = ResponseDoc(
    200, "The ticket with its latest comments.", ("ETag", "Cache-Status", "Cache-Control"), ("ticket",)
)
NOT_MODIFIED: Final = ResponseDoc(
    304, "Not modified: `If-None-Match` has the current version.", ("ETag", "Cache-Status", "Cache-Control")
)
TICKET_CHANGED: Final = ResponseDoc(200, "The ticket after the change.", ("ETag",), ("closed-ticket",))
COMMENT_CREATED: Final = ResponseDoc(
    201, "The created comment. The `ETag` is that of the ticket.", ("ETag", "Idempotent-Replayed"), ("comment",)
)
COMMENTS: Final = ResponseDoc(200, "A page of comments.", ("Link",), ("comments",))
HISTORY: Final = ResponseDoc(200, "A page of events.", ("Link",), ("history",))
REMINDER: Final = ResponseDoc(200, "The reminder.", (), ("reminder",))
REMINDER_DELETED: Final = ResponseDoc(200, "The reminder before its deletion.", (), ("reminder",))
REMINDERS: Final = ResponseDoc(200, "A page of reminders.", ("Link",), ("reminders",))
WORKFLOW: Final = ResponseDoc(200, "The status machine.")
ALIVE: Final = ResponseDoc(200, "The process is alive.", (), ("alive",))
READY: Final = ResponseDoc(200, "The service is ready.", (), ("ready", "without-cache"))
NOT_READY: Final = ResponseDoc(
    503,
    "The service is not ready: a required component is unavailable, or the process is stopping.",
    (),
    ("without-database", "stopping"),
    "Readiness",
)


def responses(shared: Sequence[Refusal], *own: ResponseDoc | Refusal) -> dict[int | str, JSON]:
    """Return the `responses=` of a route: its successes, its own refusals, then the shared ones.

    A status with shared refusals only is a reference to a component. One with both lists all of them.
    """
    documented: dict[int | str, JSON] = {
        each.status: _success(each, is_limited=shared is not EVERY_OPERATION)
        for each in own
        if isinstance(each, ResponseDoc)
    }
    own_types = _by_status([each for each in own if not isinstance(each, ResponseDoc)])
    shared_types = _by_status(shared)
    for status, problem_types in own_types.items():
        documented[status] = _refusal([*problem_types, *shared_types.get(status, ())])
    for status, problem_types in shared_types.items():
        documented.setdefault(status, _reference("responses", _component_name(problem_types)))
    return documented


def shared_responses() -> dict[str, JSON]:
    """Return the responses that the operations refer to, by the names of their components."""
    return {
        _component_name(problem_types): _refusal(problem_types)
        for shared in (EVERY_OPERATION, PROTECTED, READS, MUTATES, WRITES)
        for problem_types in _by_status(shared).values()
    }


def _by_status(refusals: Sequence[Refusal]) -> dict[int, list[ProblemType]]:
    problem_types = [STATUS_PROBLEMS[each] if isinstance(each, int) else PROBLEM_TYPES[each] for each in refusals]
    return {
        status: [each for each in problem_types if each.status == status]
        for status in sorted({each.status for each in problem_types})
    }


def _component_name(problem_types: Sequence[ProblemType]) -> str:
    if problem_types[0].status != 503:
        return problem_types[0].slug
    is_write = PROBLEM_TYPES[errors.OutcomeUnknown] in problem_types
    return "unavailable-for-write" if is_write else "unavailable"


def _success(documented: ResponseDoc, *, is_limited: bool) -> JSON:
    body: JSON = {"examples": _references("examples", documented.examples)} if documented.examples else {}
    if documented.schema is not None:
        body["schema"] = _reference("schemas", documented.schema)
    headers = [*documented.headers, *(_RATE_LIMIT if is_limited else ())]
    return _response(documented.description, headers, {"application/json": body} if body else {})


def _refusal(problem_types: Sequence[ProblemType]) -> JSON:
    lines = [f"`{each.slug}`: {each.detail}" for each in problem_types]
    content = {
        MEDIA_TYPE: {
            "schema": _reference("schemas", Problem.__name__),
            "examples": _references("examples", [each.slug for each in problem_types]),
        }
    }
    description = lines[0] if len(lines) == 1 else "\n".join(f"- {line}" for line in lines)
    headers = [header for each in problem_types for header in each.headers]
    headers += _OPTIONAL.get(problem_types[0].status, ())
    if problem_types[0].status not in _WITHOUT_RATE_LIMIT:
        headers += _RATE_LIMIT
    return _response(description, list(dict.fromkeys(headers)), content)


def _response(description: str, headers: Sequence[str], content: JSON) -> JSON:
    response = {"description": description, "headers": _references("headers", ["X-Request-Id", *headers])}
    return response | ({"content": content} if content else {})


def _references(section: str, names: Sequence[str]) -> dict[str, dict[str, str]]:
    return {name: _reference(section, name) for name in names}


def _reference(section: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{section}/{name}"}
