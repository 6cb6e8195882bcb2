"""The errors of the service. They do not depend on HTTP; `api.problems.types` maps them to responses.

ServiceError
├── Unauthenticated       the request carries no credentials or invalid ones
├── Forbidden             the principal is not permitted to do this
├── InsufficientScope     the API key is restricted to other scopes
├── HostNotAllowed        an unprotected service is called from another machine or by another host name
├── TicketNotFound        no ticket has this id, or the principal may not see it
├── TicketClosed          the ticket is closed and accepts neither edits nor comments
├── IllegalTransition     the status machine does not have this transition
├── …                     the rules on tags, links, merges and so on: see `core.ticket_errors`
├── …                     the rules on service levels: see `core.service_level_errors`
├── …                     drafts, saved views, canned replies, bulk changes: see `core.desk_errors`
├── PrincipalNotFound     no principal has this id, or the caller may not see it
├── GroupNotFound         no group has this id
├── KeyNotFound           no API key has this id
├── FieldNotFound         no custom field has this key, or the caller may not see it
├── WebhookNotFound       no webhook has this id
├── DeliveryNotFound      the webhook has no delivery with this id
├── ReplayNotFound        the webhook has no replay with this id
├── TooManyWebhooks       there are as many webhooks as there may be
├── TooManyDeliveries     as many deliveries of the webhook wait as may
├── RuleNotFound          no rule has this id
├── TooManyRules          there are as many rules as there may be
├── TooManyFields         there are as many custom fields as there may be
├── InvalidFields         values do not fit their custom fields
├── FieldsRequired        the ticket lacks values that are required now
├── AlreadyExists         another resource has a value that must be unique
├── LastAdmin             the change would leave the service without an active admin
├── KeyNotCreated         the rules of API keys do not permit this key
├── InvalidReference      a value refers to something that does not exist or cannot be used here
├── VersionMismatch       the resource is not at a version that the caller expects
├── SearchTimeout         the search exceeded its time limit
├── InvalidCursor         the cursor was not issued for this list
├── RequestInProgress     a request with this idempotency key is still being processed
├── IdempotencyKeyReused  the idempotency key was used with a different request
├── EventsGone            the event log no longer has what follows a cursor
├── RateLimited           the caller exceeded a rate limit
└── Unavailable           a required component does not respond
    ├── DatabaseUnavailable   nothing was written
    ├── IssuerUnavailable     the signing keys of the token issuer cannot be fetched
    ├── EventLogNotReady      the earlier events have no positions yet
    ├── TooManyStreams        this process has its maximum of streams
    ├── Overloaded            too many concurrent requests; nothing was done
    ├── DeadlineExceeded      the request exceeded its time limit; nothing was written
    └── OutcomeUnknown        the commit was interrupted; the change may have been saved
"""

import re
from collections.abc import Sequence
from typing import Final

_WORDS: Final = re.compile(r"(?<!^)(?=[A-Z])")


class Fault:
    """What is wrong with a part of a request.

    `steps` locates it: `body` and the way into the body, or `path` or `query` and the name of a parameter.
    """

    def __init__(self, detail: str, *steps: str | int) -> None:
        self.detail = detail
        self.steps = steps


class ServiceError(Exception):
    """Base class: the service refuses a request or cannot process it now."""

    @classmethod
    def code(cls) -> str:
        """Return the name of the error in stored results: `ticket-closed` for TicketClosed."""
        return _WORDS.sub("-", cls.__name__).lower()


class Unauthenticated(ServiceError):
    """The request carries no credentials, or with `are_refused` invalid, expired or revoked ones.

    `is_guess` is true for credentials that were never valid: they count as a failed authentication.
    """

    def __init__(self, reason: str, *, are_refused: bool, is_guess: bool = True) -> None:
        super().__init__(reason)
        self.are_refused = are_refused
        self.is_guess = are_refused and is_guess


class Forbidden(ServiceError):
    """The principal is not permitted to do this; `faults` has the parts of the request that it may not use."""

    def __init__(self, reason: str, *faults: Fault) -> None:
        super().__init__(reason)
        self.faults = faults


class InsufficientScope(ServiceError):
    """The API key is restricted to scopes that do not include `scope`."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"the scope {scope} is missing")
        self.scope = scope


class HostNotAllowed(ServiceError):
    """A service without keys or issuer is called from another machine, or by a name that is not a loopback name."""


class TicketNotFound(ServiceError):
    """No ticket has this id, or the principal may not see it."""

    def __init__(self, ticket_id: int) -> None:
        super().__init__(f"no ticket {ticket_id}")
        self.ticket_id = ticket_id


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


class PrincipalNotFound(ServiceError):
    """No principal has this id, or the caller may not see it."""


class GroupNotFound(ServiceError):
    """No group has this id."""


class KeyNotFound(ServiceError):
    """No API key has this id."""


class FieldNotFound(ServiceError):
    """No custom field has this key, or the caller may not see it."""


class WebhookNotFound(ServiceError):
    """No webhook has this id."""


class DeliveryNotFound(ServiceError):
    """The webhook has no delivery with this id."""


class ReplayNotFound(ServiceError):
    """The webhook has no replay with this id."""


class TooManyWebhooks(ServiceError):
    """There are as many webhooks as there may be."""


class TooManyDeliveries(ServiceError):
    """As many deliveries of the webhook wait as may."""


class RuleNotFound(ServiceError):
    """No rule has this id."""


class TooManyRules(ServiceError):
    """There are as many rules as there may be."""


class TooManyFields(ServiceError):
    """There are as many custom fields as there may be, archived ones not counted."""


class InvalidFields(ServiceError):
    """Values do not fit their custom fields; `faults` has each such value."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("values do not fit their custom fields")
        self.faults = faults


class FieldsRequired(ServiceError):
    """The ticket lacks values of custom fields that are required to `create` or to `close` it; `keys` names them."""

    def __init__(self, keys: Sequence[str], at: str) -> None:
        super().__init__(f"the ticket has no value of {', '.join(keys)}")
        self.keys = tuple(keys)
        self.at = at


class AlreadyExists(ServiceError):
    """Another resource has the value of a field that must be unique; `field` names it."""

    def __init__(self, field: str) -> None:
        super().__init__(f"another resource has this {field}")
        self.field = field


class LastAdmin(ServiceError):
    """The change would leave the service without an active admin."""


class KeyNotCreated(ServiceError):
    """The requested API key cannot be created; the message gives the reason."""


class InvalidReference(ServiceError):
    """A value of a request refers to something that does not exist or cannot be used here.

    `faults` has each such value.
    """

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.detail for fault in faults))
        self.faults = faults


class VersionMismatch(ServiceError):
    """The resource is at version `current`, which is not a version that the caller expects."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the resource is at version {current}")
        self.current = current


class SearchTimeout(ServiceError):
    """The search exceeded its time limit."""


class InvalidCursor(ServiceError):
    """The cursor was not issued by this service for this list, its filters and its sort order."""


class RequestInProgress(ServiceError):
    """A request with the same idempotency key is still being processed."""


class IdempotencyKeyReused(ServiceError):
    """The idempotency key was used with a different request."""


class EventsGone(ServiceError):
    """The event log no longer has what follows a cursor, or has been renewed; `first_cursor` is where it begins."""

    def __init__(self, first_cursor: str) -> None:
        super().__init__("the log does not continue this cursor")
        self.first_cursor = first_cursor


class RateLimited(ServiceError):
    """The caller exceeded a rate limit."""


class Unavailable(ServiceError):
    """A required component does not respond."""


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not respond, or not in time. Nothing was written."""


class IssuerUnavailable(Unavailable):
    """The signing keys of the token issuer cannot be fetched, so no token can be verified."""


class EventLogNotReady(Unavailable):
    """The earlier events have no positions yet: a migration numbers them."""


class TooManyStreams(Unavailable):
    """This process serves its maximum of streams and waiting requests."""


class Overloaded(Unavailable):
    """The limit of waiting requests, or of waiting changes of one ticket, is reached. Nothing was done."""


class DeadlineExceeded(Unavailable):
    """The request exceeded its time limit before its work was done. Nothing was written."""


class OutcomeUnknown(Unavailable):
    """The connection to PostgreSQL was lost, or the deadline passed, during the commit: the change may be saved."""
