"""The only table from errors to HTTP: the handlers, the OpenAPI document and the pages at /problems all read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError

from core import errors


@dataclass(frozen=True)
class ProblemType:
    """How one kind of refusal is told.

    `slug` is the last part of its `type`; `title` and `detail` are what it says to everyone, `remedy` what its page
    says one should do. `headers` come with it; `extensions` is an example of what its body says beyond that.
    """

    status: int
    slug: str
    title: str
    detail: str
    remedy: str
    headers: tuple[str, ...] = ()
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The URI that names it: the address of its page, or RFC 9457's word for "the status says it all"."""
        return f"/problems/{self.slug}" if self.slug else "about:blank"


PROBLEM_TYPES: Final[Mapping[type[Exception], ProblemType]] = {
    errors.Unauthenticated: ProblemType(
        401,
        "unauthenticated",
        "Nobody knows who asks",
        "Credentials are missing, or are not good, or no longer.",
        "Send `Authorization: Bearer` and an API key or a token of the issuer that the service trusts. The header "
        "WWW-Authenticate says whether credentials came and what was wrong with them. Whoever runs the service makes "
        "keys: `pipenv run keys create`.",
        ("WWW-Authenticate",),
    ),
    errors.Forbidden: ProblemType(
        403,
        "forbidden",
        "Not allowed",
        "Whoever these credentials belong to may not do this.",
        "A requester writes tickets and comments in their own name only, and does not set `answered`; a monitor reads "
        "`/metrics` and nothing else. Use the credentials of somebody who may.",
    ),
    errors.HostNotAllowed: ProblemType(
        421,
        "host-not-allowed",
        "Not under this name",
        "A service without keys answers on this machine only, as localhost, 127.0.0.1 or [::1].",
        "Call it by one of these names. To reach it from elsewhere, let its operator make keys "
        "(`pipenv run keys create`), configure an issuer of tokens, or say `ALLOW_ANONYMOUS=true`.",
    ),
    errors.TicketNotFound: ProblemType(
        404,
        "ticket-not-found",
        "No such ticket",
        "There is no ticket with this id.",
        "Check the id: tickets are never deleted, so one that was never opened here is asked for. `GET /tickets` finds "
        "tickets by the requester's address.",
    ),
    errors.TicketClosed: ProblemType(
        409,
        "ticket-closed",
        "The ticket is closed",
        "Closed is final: a closed ticket takes no edit and no comment.",
        "Do not send it again: no ticket is reopened. Open a new ticket with `POST /tickets` and name the closed one "
        "in its text.",
    ),
    errors.IllegalTransition: ProblemType(
        409,
        "illegal-transition",
        "Illegal transition",
        "The ticket's status may not become the one asked for.",
        "Choose one of the statuses in `allowed`; an empty list means that the ticket is closed for good. If `from` is "
        "not what you expected, somebody else moved the ticket: fetch it and decide anew. `GET /workflow` shows the "
        "whole machine; a move to the status that the ticket already has is not in it.",
        extensions={"source": "open", "target": "awaiting_reply", "allowed": ["answered", "closed"]},
    ),
    errors.VersionMismatch: ProblemType(
        412,
        "version-mismatch",
        "The ticket has changed",
        "The ticket is no longer at the version in If-Match.",
        "Somebody changed the ticket after you read it. Fetch it again, look at what changed "
        "(`GET /tickets/{ticket_id}/history` tells), and send your change with the new ETag, which this answer carries "
        "too, if you still want it.",
        ("ETag",),
    ),
    errors.SearchTimeout: ProblemType(
        503,
        "search-timeout",
        "The search took too long",
        "The search was given up; nothing is wrong with the service otherwise.",
        "Search for rarer words, or add filters: those on `status`, `email` and the times narrow what is searched. If "
        "many searches come at once, wait a little and try again.",
        ("Retry-After",),
    ),
    errors.InvalidCursor: ProblemType(
        422,
        "invalid-cursor",
        "Invalid cursor",
        "Use a cursor exactly as a page of this list gave it.",
        "Take `next_cursor` as it is, and keep the filters and the order of the page that gave it. If you changed "
        "them, start at the first page, without a cursor.",
    ),
    errors.RequestInProgress: ProblemType(
        409,
        "request-in-progress",
        "The request is in progress",
        "A request with this Idempotency-Key is being carried out right now; send it again a little later.",
        "Wait as long as Retry-After says and send the same request with the same key: you will get the answer of the "
        "one that is under way.",
        ("Retry-After",),
    ),
    errors.IdempotencyKeyReused: ProblemType(
        422,
        "idempotency-key-reused",
        "The idempotency key was used before",
        "This Idempotency-Key belongs to another request; choose a new one for each request.",
        "Make a new key, a UUID say, for each new request, and repeat it only with that very request. If this was "
        "meant to be a retry, send the body exactly as it was.",
    ),
    errors.DatabaseUnavailable: ProblemType(
        503,
        "database-unavailable",
        "The database is unavailable",
        "Nothing is wrong with the request; try again.",
        "Nothing was written. Wait as long as Retry-After says and send the same request again, longer each time it "
        "fails. `GET /readyz` tells when the service can work again.",
        ("Retry-After",),
    ),
    errors.IssuerUnavailable: ProblemType(
        503,
        "issuer-unavailable",
        "The issuer of tokens is unavailable",
        "Nothing is wrong with the request; its token can not be verified now.",
        "Wait as long as Retry-After says and send the same request again. API keys do not need the issuer.",
        ("Retry-After",),
    ),
    errors.RateLimited: ProblemType(
        429,
        "rate-limited",
        "Too many requests",
        "You came more often than one may; nothing was done.",
        "Wait as long as Retry-After says and send the same request again. `RateLimit-Policy` tells how many requests "
        "(`q`) in how many seconds (`w`) you have, and `RateLimit` of each answer how many remain (`r`). Spread them, "
        "and ask for longer pages or with `If-None-Match` rather than more often.",
        ("Retry-After", "RateLimit", "RateLimit-Policy"),
    ),
    errors.Overloaded: ProblemType(
        503,
        "overloaded",
        "Too many requests at once",
        "More requests came at once than can be carried out; nothing was done.",
        "Nothing is wrong with the request, and nothing was written. Wait as long as Retry-After says and send it "
        "again, longer each time it fails, and not many at once.",
        ("Retry-After",),
    ),
    errors.DeadlineExceeded: ProblemType(
        503,
        "deadline-exceeded",
        "The request took too long",
        "The request was given up before anything was written; try again.",
        "Nothing was written. Wait as long as Retry-After says and send the same request again, longer each time it "
        "fails. The database is slow or does not answer: `GET /readyz` tells when the service can work again.",
        ("Retry-After",),
    ),
    errors.OutcomeUnknown: ProblemType(
        503,
        "outcome-unknown",
        "The outcome is unknown",
        "The database went away, or time ran out, while it committed: look whether it was done before you repeat it.",
        "If you sent an Idempotency-Key, send the same request with the same key: it is carried out once. Otherwise "
        "fetch the ticket, or the list, and repeat the request only if what it asked for is not there.",
        ("Retry-After",),
    ),
    RequestValidationError: ProblemType(
        422,
        "invalid-request",
        "The request is invalid",
        "One or more parts of the request are not as documented.",
        "Each entry of `errors` says what is wrong where: `pointer` is a JSON pointer into the body you sent, "
        "`parameter` the name of a parameter or a header. Mend those parts; the same request will not succeed later.",
        extensions={"errors": [{"detail": "must not be blank", "pointer": "#/subject"}]},
    ),
}

# What is refused before a route is reached, by status.
STATUS_PROBLEMS: Final[Mapping[int, ProblemType]] = {
    kind.status: kind
    for kind in (
        ProblemType(
            400,
            "malformed-json",
            "The body is not JSON",
            "The body could not be read as JSON in UTF-8.",
            "Let a JSON library write the body, and send it as UTF-8. A body that was cut off on its way looks like "
            "this too: compare its length with Content-Length.",
        ),
        ProblemType(
            404,
            "not-found",
            "Nothing here",
            "There is nothing at this path; /docs lists what there is.",
            "Check the path: there is no prefix and no slash at the end. `/docs` lists every operation.",
        ),
        ProblemType(
            405,
            "method-not-allowed",
            "Method not allowed",
            "This path does not take this method; see Allow.",
            "Use one of the methods in the Allow header of the answer. Tickets and comments are never deleted, and a "
            "ticket is changed with PATCH, not with PUT.",
            ("Allow",),
        ),
        ProblemType(
            406,
            "not-acceptable",
            "Not acceptable",
            "The answers here are JSON, which Accept does not name.",
            "Send `Accept: application/json`, or no Accept at all. Refusals are `application/problem+json` always.",
        ),
        ProblemType(
            408,
            "request-timeout",
            "The body came too slowly",
            "The body was not there in time; nothing was done.",
            "Send the request again, on a new connection. If it was sent as fast as the network goes, send less at "
            "once; if a program wrote the body bit by bit, let it write the body before it sends it.",
        ),
        ProblemType(
            413,
            "content-too-large",
            "The body is too large",
            "A body has at most 1 MiB.",
            "A subject has at most 255 characters and a text at most 65,536, so no valid body comes near the limit. "
            "Put what is longer, a log say, elsewhere and name its address in the text.",
        ),
        ProblemType(
            414,
            "uri-too-long",
            "The address is too long",
            "The path and the query together have at most 8 KiB.",
            "Ask with fewer filters or shorter ones. A cursor is handed on as it is, once, and never grows.",
        ),
        ProblemType(
            415,
            "unsupported-media-type",
            "Unsupported media type",
            "Send JSON, as Content-Type: application/json.",
            "Set the header `Content-Type: application/json`; `application/merge-patch+json` will do for PATCH. Many "
            "clients send a form by default.",
        ),
        ProblemType(
            431,
            "headers-too-large",
            "The headers are too large",
            "The headers together have at most 16 KiB.",
            "Send fewer or shorter headers. The service reads no cookies: often they are what has grown.",
        ),
        ProblemType(
            500,
            "internal-error",
            "Internal error",
            "The service failed; its operators find why by the request_id.",
            "Nothing is known to be wrong with the request. Give `request_id` to whoever runs the service. A write may "
            "have been done: repeat it with the same Idempotency-Key, or look first.",
        ),
    )
}

# What is no HTTP, so that the server itself has to answer.
MALFORMED: Final = ProblemType(
    400,
    "malformed-request",
    "The request is not HTTP",
    "The request could not be read as HTTP/1.1.",
    "Let an HTTP library write the request. An address of 64 KiB or more, a header without a colon and two lengths "
    "that contradict each other are refused like this; so is TLS, which a proxy in front of the service has to end.",
)

ALL: Final = (*PROBLEM_TYPES.values(), *STATUS_PROBLEMS.values(), MALFORMED)


def problem_type_for(status: int) -> ProblemType:
    """Return how a refusal is told of which only the status is known."""
    phrase = HTTPStatus(status).phrase
    return STATUS_PROBLEMS.get(status) or ProblemType(status, "", phrase, f"{phrase}.", "")
