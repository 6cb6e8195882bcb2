"""Everything the service refuses, as exceptions that know nothing of HTTP.

ServiceError
├── Unauthenticated       nobody knows who asks
├── Forbidden             whoever asks may not do this
├── HostNotAllowed        an unprotected service was called by another name than this machine's own
├── TicketNotFound        no ticket has this id
├── TicketClosed          the ticket is closed: no edit, no comment
├── IllegalTransition     the status machine has no such edge
├── VersionMismatch       the ticket moved on from the version the caller expected
├── SearchTimeout         the search did not end in its time
├── InvalidCursor         a page cursor this service did not issue
├── RequestInProgress     a request with this idempotency key is being carried out right now
├── IdempotencyKeyReused  this idempotency key was used for another request
├── RateLimited           the caller came too often
└── Unavailable           a part the service needs does not answer now
    ├── DatabaseUnavailable   nothing was done; try again
    ├── IssuerUnavailable     the keys of the issuer of tokens are not to be had
    ├── Overloaded            too many requests at once; nothing was done
    ├── DeadlineExceeded      nothing was done; the request had no time left
    └── OutcomeUnknown        it may have been done
"""

from collections.abc import Sequence


class ServiceError(Exception):
    """The service will not, or can not now, do what it was asked."""


class Unauthenticated(ServiceError):
    """Nobody knows who asks: no credentials came, or with `are_refused` such as are not good, or no longer.

    `is_guess` tells what may have been made up from what was good once.
    """

    def __init__(self, reason: str, *, are_refused: bool, is_guess: bool = True) -> None:
        super().__init__(reason)
        self.are_refused = are_refused
        self.is_guess = are_refused and is_guess


class Forbidden(ServiceError):
    """Whoever asks may not do this."""


class HostNotAllowed(ServiceError):
    """A service that nothing protects was called by another name, or at another address, than this machine's own."""


class TicketNotFound(ServiceError):
    """No ticket has this id."""

    def __init__(self, ticket_id: int) -> None:
        super().__init__(f"no ticket {ticket_id}")


class TicketClosed(ServiceError):
    """The ticket is closed, which is final: it takes no edit and no comment."""

    def __init__(self, ticket_id: int) -> None:
        super().__init__(f"ticket {ticket_id} is closed")


class IllegalTransition(ServiceError):
    """The status machine does not lead from `source` to `target`; `allowed` is where it leads."""

    def __init__(self, source: str, target: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{source} may not become {target}")
        self.source = source
        self.target = target
        self.allowed = tuple(allowed)


class VersionMismatch(ServiceError):
    """The ticket is at version `current`, not at one the caller expected."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the ticket is at version {current}")
        self.current = current


class SearchTimeout(ServiceError):
    """The search did not end in the time that searches have."""


class InvalidCursor(ServiceError):
    """The page cursor was not issued by this service."""


class RequestInProgress(ServiceError):
    """A request with the same idempotency key is being carried out right now."""


class IdempotencyKeyReused(ServiceError):
    """The idempotency key was used before, for another request."""


class RateLimited(ServiceError):
    """The caller came more often than one may."""


class Unavailable(ServiceError):
    """A part the service needs does not answer now."""


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not answer, or not in time. Nothing was written."""


class IssuerUnavailable(Unavailable):
    """The keys of the issuer of tokens can not be fetched, so that no token can be verified."""


class Overloaded(Unavailable):
    """Too many requests are carried out and wait already. Nothing was done."""


class DeadlineExceeded(Unavailable):
    """The time that a request may take was over before its work was done. Nothing was written."""


class OutcomeUnknown(Unavailable):
    """PostgreSQL went away, or time ran out, during the commit: what was to be written may be written, or not."""
