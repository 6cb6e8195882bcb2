"""The table from errors to HTTP; the handlers, the OpenAPI document and the pages at /problems are built from it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi.exceptions import RequestValidationError

from api.problems.desk_types import DESK_PROBLEMS
from api.problems.directory_types import DIRECTORY_PROBLEMS
from api.problems.event_types import EVENT_PROBLEMS
from api.problems.field_types import FIELD_PROBLEMS
from api.problems.problem_type import ProblemType
from api.problems.rule_types import RULE_PROBLEMS
from api.problems.server_types import MALFORMED, UNKNOWN_CODING
from api.problems.service_level_types import SERVICE_LEVEL_PROBLEMS
from api.problems.ticket_types import TICKET_PROBLEM_TYPES
from api.problems.webhook_types import WEBHOOK_PROBLEMS
from core import errors

PROBLEM_TYPES: Final[Mapping[type[Exception], ProblemType]] = {
    errors.Unauthenticated: ProblemType(
        401,
        "unauthenticated",
        "Authentication required",
        "The request has no credentials, or its credentials are invalid, expired or revoked.",
        "Send the header `Authorization: Bearer` with an API key or a token of the configured issuer. The "
        "`WWW-Authenticate` header of the response gives the reason if credentials were rejected. The operator of the "
        "service creates API keys with `pipenv run keys create`.",
        ("WWW-Authenticate",),
    ),
    errors.Forbidden: ProblemType(
        403,
        "forbidden",
        "Permission denied",
        "These credentials do not permit this request.",
        "A requester creates tickets and comments under their own email address only, and cannot set the "
        "status `answered`, write internal notes, or set what agents work with: assignee, group, priority and tags. A "
        "participant comments only. A monitor can read `/metrics` and `/me` only. Only admins write people and groups "
        "and manage keys. A token needs a role or a verified email address. Use credentials that permit the request; "
        "`GET /me` returns their role.",
    ),
    errors.InsufficientScope: ProblemType(
        403,
        "insufficient-scope",
        "Insufficient scope",
        "The API key is restricted to scopes that do not permit this request.",
        "Use a key with the scope in `scope`, which the `WWW-Authenticate` header names too, or a key without scopes. "
        "`GET /me` returns the scopes of a key. An admin creates keys with `POST /keys`.",
        ("WWW-Authenticate",),
        {"scope": "write"},
    ),
    errors.HostNotAllowed: ProblemType(
        421,
        "host-not-allowed",
        "Host not allowed",
        "Without API keys or a token issuer, the service is available on its own machine only.",
        "Call the service from its own machine as localhost, 127.0.0.1 or [::1]. To allow other clients, the operator "
        "creates an API key (`pipenv run keys create`), configures a token issuer, or sets `ALLOW_ANONYMOUS=true`.",
    ),
    errors.TicketNotFound: ProblemType(
        404,
        "ticket-not-found",
        "Ticket not found",
        "No ticket with this id exists, or the caller is not permitted to read it.",
        "Check the id. Tickets are never deleted. A requester can read the tickets of their own email address only. "
        "`GET /tickets` lists all tickets that the caller can read.",
    ),
    **DIRECTORY_PROBLEMS,
    errors.TicketClosed: ProblemType(
        409,
        "ticket-closed",
        "Ticket closed",
        "A closed ticket cannot be edited and accepts no comments. `POST /tickets/{ticket_id}/follow-ups` opens a "
        "ticket that continues it.",
        "Do not retry: a closed ticket cannot be reopened. Open a new ticket that continues it with "
        "`POST /tickets/{ticket_id}/follow-ups`.",
    ),
    errors.IllegalTransition: ProblemType(
        409,
        "illegal-transition",
        "Illegal status transition",
        "The status of the ticket cannot change to the requested status.",
        "Choose a status from `allowed`; an empty list means that the ticket is closed, which is final. If `from` is "
        "not the status that you expected, another client has changed the ticket: read it again. `GET /workflow` "
        "returns all transitions; a transition to the current status is illegal, too.",
        extensions={"source": "open", "target": "awaiting_reply", "allowed": ["answered", "closed"]},
    ),
    errors.VersionMismatch: ProblemType(
        412,
        "version-mismatch",
        "Version mismatch",
        "The current version of the resource is not in If-Match, or it is in If-None-Match.",
        "The resource was changed after you read it. Read it again; `GET /tickets/{ticket_id}/history` shows what "
        "changed in a ticket. To apply your change to the current version, send it with the new `ETag`, "
        "which this response also carries.",
        ("ETag",),
    ),
    errors.SearchTimeout: ProblemType(
        503,
        "search-timeout",
        "Search timed out",
        "The search exceeded its time limit and was cancelled.",
        "Search for less frequent words, or add filters: `status`, `email` and the time ranges reduce the number of "
        "tickets to search. If many searches run at the same time, wait for `Retry-After` seconds and retry.",
        ("Retry-After",),
    ),
    errors.InvalidCursor: ProblemType(
        422,
        "invalid-cursor",
        "Invalid cursor",
        "The cursor was not issued for this list with these filters and this sort order.",
        "Send `next_cursor` unchanged, with the filters and the sort order of the page that returned it. If you change "
        "them, start with the first page, without a cursor.",
    ),
    errors.RequestInProgress: ProblemType(
        409,
        "request-in-progress",
        "Request in progress",
        "A request with this Idempotency-Key is still being processed.",
        "Wait for `Retry-After` seconds and send the same request with the same key. The response is that of the first "
        "request if it succeeded.",
        ("Retry-After",),
    ),
    errors.IdempotencyKeyReused: ProblemType(
        422,
        "idempotency-key-reused",
        "Idempotency key reused",
        "This Idempotency-Key was used with a different request.",
        "Generate a new key, for example a UUID, for each new request. Reuse a key only to retry its request, with the "
        "same path and the same body.",
    ),
    errors.DatabaseUnavailable: ProblemType(
        503,
        "database-unavailable",
        "Database unavailable",
        "The database is unavailable. Nothing was written.",
        "Wait for `Retry-After` seconds and retry, with increasing delays. `GET /readyz` reports when the service is "
        "ready again.",
        ("Retry-After",),
    ),
    errors.IssuerUnavailable: ProblemType(
        503,
        "issuer-unavailable",
        "Token issuer unavailable",
        "The token cannot be verified because the signing keys of its issuer are unavailable.",
        "Wait for `Retry-After` seconds and retry. API keys do not depend on the issuer.",
        ("Retry-After",),
    ),
    errors.RateLimited: ProblemType(
        429,
        "rate-limited",
        "Rate limit exceeded",
        "Too many requests, or too many failed authentications. This request was not processed.",
        "Wait for `Retry-After` seconds and retry. `RateLimit-Policy` gives the quota (`q`) and its window in seconds "
        "(`w`), and `RateLimit` the remaining quota (`r`). Larger pages and `If-None-Match` save requests. "
        "After failed authentications, check the credentials.",
        ("Retry-After",),
    ),
    errors.Overloaded: ProblemType(
        503,
        "overloaded",
        "Service overloaded",
        "Too many requests wait, in total or for changes of this ticket. This request was not processed.",
        "Wait for `Retry-After` seconds and retry, with increasing delays and fewer concurrent requests.",
        ("Retry-After",),
    ),
    errors.DeadlineExceeded: ProblemType(
        503,
        "deadline-exceeded",
        "Deadline exceeded",
        "The request exceeded its time limit. Nothing was written.",
        "The database is slow or does not respond. Wait for `Retry-After` seconds and retry, with increasing delays. "
        "`GET /readyz` reports when the service is ready again.",
        ("Retry-After",),
    ),
    errors.OutcomeUnknown: ProblemType(
        503,
        "outcome-unknown",
        "Outcome unknown",
        "The commit was interrupted. The change was either saved completely or not at all.",
        "If the request had an `Idempotency-Key`, send it again with the same key: the change is made once. Otherwise "
        "read the ticket or the list, and repeat the request only if the change is missing.",
        ("Retry-After",),
    ),
    RequestValidationError: ProblemType(
        422,
        "invalid-request",
        "Invalid request",
        "One or more parts of the request are invalid.",
        "Each entry of `errors` describes an invalid part: `pointer` is a JSON pointer into the body, `parameter` the "
        "name of a parameter or header. Correct these parts before you send the request again.",
        extensions={"errors": [{"detail": "must not be blank", "pointer": "#/subject"}]},
    ),
    **TICKET_PROBLEM_TYPES,
    **FIELD_PROBLEMS,
    **SERVICE_LEVEL_PROBLEMS,
    **WEBHOOK_PROBLEMS,
    **RULE_PROBLEMS,
    **EVENT_PROBLEMS,
    **DESK_PROBLEMS,
}

# Refusals that are raised as a status code, before a route runs.
STATUS_PROBLEMS: Final[Mapping[int, ProblemType]] = {
    problem_type.status: problem_type
    for problem_type in (
        ProblemType(
            400,
            "malformed-json",
            "Malformed JSON",
            "The body is not valid JSON in UTF-8.",
            "Generate the body with a JSON library and encode it as UTF-8. A truncated body is refused like this too: "
            "compare its length with `Content-Length`.",
        ),
        ProblemType(
            404,
            "not-found",
            "Not found",
            "There is no resource at this path.",
            "Check the path: it has no prefix and no trailing slash. `/docs` lists all operations.",
        ),
        ProblemType(
            405,
            "method-not-allowed",
            "Method not allowed",
            "The resource does not support this method.",
            "Use one of the methods in the `Allow` header of the response. Tickets, comments and people cannot be "
            "deleted, and a ticket is changed with `PATCH`, not with `PUT`.",
            ("Allow",),
        ),
        ProblemType(
            406,
            "not-acceptable",
            "Not acceptable",
            "The Accept header does not include application/json.",
            "Send `Accept: application/json`, or omit the header. Errors are always `application/problem+json`.",
        ),
        ProblemType(
            408,
            "request-timeout",
            "Request timeout",
            "The body did not arrive within the time limit. The request was not processed.",
            "Send the request again on a new connection. Build the whole body before you send it. On a slow network, "
            "send less data in each request.",
        ),
        ProblemType(
            413,
            "content-too-large",
            "Content too large",
            "The body is larger than 1 MiB.",
            "A subject has at most 255 characters and a text at most 65,536, so a valid body stays below the limit. "
            "Store larger data elsewhere and put its URL into the text.",
        ),
        ProblemType(
            414,
            "uri-too-long",
            "URI too long",
            "The path and the query together are longer than 8 KiB.",
            "Use fewer or shorter filters. A cursor replaces the previous one; send only one.",
        ),
        ProblemType(
            415,
            "unsupported-media-type",
            "Unsupported media type",
            "The Content-Type of the body is not application/json.",
            "Send the header `Content-Type: application/json`. `PATCH` also accepts `application/merge-patch+json`. "
            "Many clients send form data by default.",
        ),
        ProblemType(
            431,
            "headers-too-large",
            "Headers too large",
            "The request headers together are larger than 16 KiB.",
            "Send fewer or shorter headers. The service uses no cookies; large cookies are a frequent cause.",
        ),
        ProblemType(
            500,
            "internal-error",
            "Internal error",
            "An unexpected error occurred. The log of the service describes it under the request_id.",
            "Report the `request_id` to the operator of the service. A write may have succeeded: repeat it with the "
            "same `Idempotency-Key`, or check its outcome first.",
        ),
    )
}

ALL_PROBLEM_TYPES: Final = (*PROBLEM_TYPES.values(), *STATUS_PROBLEMS.values(), MALFORMED, UNKNOWN_CODING)


def problem_type_for(status: int) -> ProblemType:
    """Return the problem type of a status code; one without a slug for a status that the table does not have."""
    phrase = HTTPStatus(status).phrase
    return STATUS_PROBLEMS.get(status) or ProblemType(status, "", phrase, f"{phrase}.", "")
