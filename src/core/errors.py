"""The errors of the service. They do not depend on HTTP; `api.problems.types` maps them to responses.

ServiceError
├── Unauthenticated       the request carries no credentials or invalid ones
├── Forbidden             the principal is not permitted to do this
├── HostNotAllowed        an unprotected service is called from another machine or by another host name
├── TicketNotFound        no ticket has this id, or the principal may not see it
├── TicketClosed          the ticket is closed and accepts neither edits nor comments
├── IllegalTransition     the status machine does not have this transition
├── VersionMismatch       the ticket is not at a version that the caller expects
├── SearchTimeout         the search exceeded its time limit
├── InvalidCursor         the cursor was not issued for this list
├── RequestInProgress     a request with this idempotency key is still being processed
├── IdempotencyKeyReused  the idempotency key was used with a different request
├── RateLimited           the caller exceeded a rate limit
└── Unavailable           a required component does not respond
    ├── DatabaseUnavailable   nothing was written
    ├── IssuerUnavailable     the signing keys of the token issuer cannot be fetched
    ├── Overloaded            too many concurrent requests; nothing was done
    ├── DeadlineExceeded      the request exceeded its time limit; nothing was written
    └── OutcomeUnknown        the commit was interrupted; the change may have been saved
"""

from collections.abc import Sequence


class ServiceError(Exception):
    """Base class: the service refuses a request or cannot process it now."""


class Unauthenticated(ServiceError):
    """The request carries no credentials, or with `are_refused` invalid, expired or revoked ones.

    `is_guess` is true for credentials that were never valid: they count as a failed authentication.
    """

    def __init__(self, reason: str, *, are_refused: bool, is_guess: bool = True) -> None:
        super().__init__(reason)
        self.are_refused = are_refused
        self.is_guess = are_refused and is_guess


class Forbidden(ServiceError):
    """The principal is not permitted to do this."""


class HostNotAllowed(ServiceError):
    """A service without keys or issuer is called from another machine, or by a name that is not a loopback name."""


class TicketNotFound(ServiceError):
    """No ticket has this id, or the principal may not see it."""

    def __init__(self, ticket_id: int) -> None:
        super().__init__(f"no ticket {ticket_id}")


class TicketClosed(ServiceError):
    """The ticket is closed, which is final: it accepts neither edits nor comments."""

    def __init__(self, ticket_id: int) -> None:
        super().__init__(f"ticket {ticket_id} is closed")


class IllegalTransition(ServiceError):
    """The status machine has no transition from `source` to `target`; `allowed` lists the possible targets."""

    def __init__(self, source: str, target: str, allowed: Sequence[str]) -> None:
        super().__init__(f"no transition from {source} to {target}")
        self.source = source
        self.target = target
        self.allowed = tuple(allowed)


class VersionMismatch(ServiceError):
    """The ticket is at version `current`, which is not a version that the caller expects."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the ticket is at version {current}")
        self.current = current


class SearchTimeout(ServiceError):
    """The search exceeded its time limit."""


class InvalidCursor(ServiceError):
    """The cursor was not issued by this service for this list, its filters and its sort order."""


class RequestInProgress(ServiceError):
    """A request with the same idempotency key is still being processed."""


class IdempotencyKeyReused(ServiceError):
    """The idempotency key was used with a different request."""


class RateLimited(ServiceError):
    """The caller exceeded a rate limit."""


class Unavailable(ServiceError):
    """A required component does not respond."""


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not respond, or not in time. Nothing was written."""


class IssuerUnavailable(Unavailable):
    """The signing keys of the token issuer cannot be fetched, so no token can be verified."""


class Overloaded(Unavailable):
    """The limit of waiting requests, or of waiting changes of one ticket, is reached. Nothing was done."""


class DeadlineExceeded(Unavailable):
    """The request exceeded its time limit before its work was done. Nothing was written."""


class OutcomeUnknown(Unavailable):
    """The connection to PostgreSQL was lost, or the deadline passed, during the commit: the change may be saved."""
