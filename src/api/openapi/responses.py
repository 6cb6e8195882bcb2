"""What the OpenAPI document says of the answers: those that succeed, and those that refuse, by the table of errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi.exceptions import RequestValidationError

from api.problems.handlers import MEDIA_TYPE
from api.problems.types import PROBLEM_TYPES, STATUS_PROBLEMS, ProblemType
from core import errors
from schemas.problem import Problem

# What every operation may refuse, every one but the probes, every operation on tickets, and every one that writes.
ANYWHERE: Final = (408, 413, 414, 431, 500)
BEHIND_THE_GATE: Final = (
    *ANYWHERE,
    406,
    errors.Unauthenticated,
    errors.Forbidden,
    errors.HostNotAllowed,
    errors.RateLimited,
    errors.Overloaded,
    errors.DatabaseUnavailable,
    errors.IssuerUnavailable,
    errors.DeadlineExceeded,
)
READING: Final = (*BEHIND_THE_GATE, RequestValidationError)
WRITING: Final = (*READING, 400, 415, errors.OutcomeUnknown)


@dataclass(frozen=True)
class ResponseDoc:
    """An answer that is no problem: the headers it carries, and the names of its examples.

    `schema` is the name of its body's if that is not what the route returns.
    """

    status: int
    description: str
    headers: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    schema: str | None = None


TICKET_CREATED: Final = ResponseDoc(
    201, "The ticket as it was opened.", ("Location", "ETag", "Idempotent-Replayed"), ("new-ticket",)
)
TICKETS: Final = ResponseDoc(200, "One page of the list.", ("Link",), ("tickets",))
TICKET: Final = ResponseDoc(
    200, "The ticket and its latest comments.", ("ETag", "Cache-Status", "Cache-Control"), ("ticket",)
)
NOT_MODIFIED: Final = ResponseDoc(
    304, "You have it: the ticket is at a version in If-None-Match.", ("ETag", "Cache-Status", "Cache-Control")
)
TICKET_CHANGED: Final = ResponseDoc(200, "The ticket as it is now.", ("ETag",), ("closed-ticket",))
COMMENT_CREATED: Final = ResponseDoc(
    201, "The comment. The ETag is the ticket's, which it changed.", ("ETag", "Idempotent-Replayed"), ("comment",)
)
COMMENTS: Final = ResponseDoc(200, "One page of the discussion.", ("Link",), ("comments",))
HISTORY: Final = ResponseDoc(200, "One page of the history.", ("Link",), ("history",))
WORKFLOW: Final = ResponseDoc(200, "The status machine.")
ALIVE: Final = ResponseDoc(200, "The process is alive.", (), ("alive",))
READY: Final = ResponseDoc(200, "Send requests here.", (), ("ready", "without-cache"))
NOT_READY: Final = ResponseDoc(
    503,
    "Send no requests here: a required part is missing, or the service stops.",
    (),
    ("without-database", "stopping"),
    "Readiness",
)


def responses(*answers: ResponseDoc | type[Exception] | int) -> dict[int | str, dict[str, Any]]:
    """Return a route's `responses=`: how it succeeds, and what it refuses, by error or by status alone."""
    succeeding = [answer for answer in answers if isinstance(answer, ResponseDoc)]
    refused = [_kind(answer) for answer in answers if not isinstance(answer, ResponseDoc)]
    documented: dict[int | str, dict[str, Any]] = {answer.status: _success(answer) for answer in succeeding}
    for status in sorted({kind.status for kind in refused}):
        documented[status] = _refusal([kind for kind in refused if kind.status == status])
    return documented


def _kind(answer: type[Exception] | int) -> ProblemType:
    return STATUS_PROBLEMS[answer] if isinstance(answer, int) else PROBLEM_TYPES[answer]


def _success(answer: ResponseDoc) -> dict[str, Any]:
    body: dict[str, Any] = {"examples": _references("examples", answer.examples)} if answer.examples else {}
    if answer.schema is not None:
        body["schema"] = _reference("schemas", answer.schema)
    return _response(answer.description, answer.headers, {"application/json": body} if body else {})


def _refusal(kinds: Sequence[ProblemType]) -> dict[str, Any]:
    told = [f"`{kind.slug}`: {kind.detail}" for kind in kinds]
    content = {
        MEDIA_TYPE: {
            "schema": _reference("schemas", Problem.__name__),
            "examples": _references("examples", [kind.slug for kind in kinds]),
        }
    }
    description = told[0] if len(told) == 1 else "\n".join(f"- {each}" for each in told)
    headers = list(dict.fromkeys(header for kind in kinds for header in kind.headers))
    return _response(description, headers, content)


def _response(description: str, headers: Sequence[str], content: dict[str, Any]) -> dict[str, Any]:
    told = {"description": description, "headers": _references("headers", ["X-Request-Id", *headers])}
    return told | ({"content": content} if content else {})


def _references(section: str, names: Sequence[str]) -> dict[str, dict[str, str]]:
    return {name: _reference(section, name) for name in names}


def _reference(section: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{section}/{name}"}
