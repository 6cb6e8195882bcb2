"""Sets of paths that the middleware treats alike, and the roles and scopes that have access to them."""

import re
from collections.abc import Set
from typing import Final

from models import Role, Scope


class PathSet:
    """Some paths and everything below them; of the root, the root alone. `path in PATHS` tests a path."""

    def __init__(self, *paths: str) -> None:
        self.paths: Final = paths
        self._exact = frozenset(paths)
        self._prefixes = tuple(f"{path}/" for path in paths if path != "/")

    def __contains__(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._prefixes)

    def __or__(self, other: "PathSet") -> "PathSet":
        return PathSet(*self.paths, *other.paths)


PROBES: Final = PathSet("/livez", "/readyz")
METRICS: Final = PathSet("/metrics")
# The root leads browsers to the desk.
DOCS: Final = PathSet("/docs", "/")
TICKETS: Final = PathSet("/tickets")
TAGS: Final = PathSet("/tags")
DIRECTORY: Final = PathSet("/people", "/groups")
FIELDS: Final = PathSet("/fields")
SERVICE_LEVELS: Final = PathSet("/calendars", "/sla-policies")
KEYS: Final = PathSet("/keys")
EVENTS: Final = PathSet("/events")
REMINDERS: Final = PathSet("/reminders")
WEBHOOKS: Final = PathSet("/webhooks")
RULES: Final = PathSet("/rules")
DESK_SERVICES: Final = PathSet("/views", "/canned-replies", "/numbers")
PRINCIPALS: Final = PathSet("/me", "/principals")
# The pages for agents. `desk` serves them; their scripts and styles are public.
DESK: Final = PathSet("/desk")
DESK_ASSETS: Final = PathSet("/desk/assets")
# The pages for every signed-in person, and those that lead there.
OWN_PAGES: Final = PathSet("/my")
SIGN_IN_PAGES: Final = PathSet("/sign-in", "/set-up")
# Authenticated by `desk`: by the cookie of a session, never by an API key or a token.
PAGES: Final = DESK | OWN_PAGES | SIGN_IN_PAGES
AUTOMATION: Final = SERVICE_LEVELS | REMINDERS | RULES
_RESOURCES: Final = (
    TICKETS | EVENTS | AUTOMATION | TAGS | DIRECTORY | FIELDS | KEYS | WEBHOOKS | PRINCIPALS | DESK_SERVICES
)
_OF_STAFF_ALONE: Final = DESK_SERVICES | DESK
_READ_BY_STAFF: Final = DIRECTORY | TAGS | AUTOMATION | _OF_STAFF_ALONE

# Respond in JSON only.
JSON_ONLY: Final = _RESOURCES | PathSet("/workflow")
# Require no authentication, and take no body.
PUBLIC: Final = PROBES | DOCS | DESK_ASSETS | PathSet("/openapi.json", "/problems")
# Requested by load balancers and Prometheus every few seconds.
POLLED: Final = PROBES | METRICS
# Caches must not store them: tickets, people and keys contain personal texts, addresses and secrets, and the others are
# of this moment.
NOT_STORED: Final = _RESOURCES | POLLED | PAGES
# Exempt from the rate limit and the concurrency limit: a refused probe takes the instance out of service, and a refused
# file breaks a page.
UNLIMITED: Final = POLLED | DOCS | DESK_ASSETS

_STAFF: Final[Set[Role]] = {Role.ADMIN, Role.AGENT}
_TICKET_ROLES: Final[Set[Role]] = _STAFF | {Role.REQUESTER}
_METRICS_ROLES: Final[Set[Role]] = _STAFF | {Role.MONITOR}
_ADMINS: Final[Set[Role]] = {Role.ADMIN}
_READING: Final = frozenset({"GET", "HEAD"})
_COMMENTS: Final = "/comments"
_REMINDER: Final = "/reminder"
_BULK: Final = PathSet("/tickets/bulk")
# What agents do with tickets, by the paths of requests and of the document.
_OF_STAFF: Final = re.compile("/tickets/(by-external-id/.+|[^/]+/(take|release|merge|tags/.+|links/.+))")


def is_of_events(path: str) -> bool:
    """Return whether a path is a feed of events, whose requests may wait or be streams."""
    return path in {"/events", "/desk/events"} or (path.endswith("/events") and path in TICKETS)


def roles_for(path: str, method: str) -> Set[Role]:
    """Return the roles that have access to a path that is not public."""
    if path in TICKETS:
        is_of_staff = (
            path.endswith(_REMINDER) or path in _BULK or (method not in _READING and _OF_STAFF.fullmatch(path))
        )
        return _STAFF if is_of_staff else _TICKET_ROLES
    if path in METRICS:
        return _METRICS_ROLES
    if path in _READ_BY_STAFF:
        return _STAFF if method in _READING or path in _OF_STAFF_ALONE else _ADMINS
    if path in FIELDS:
        return _TICKET_ROLES if method in _READING else _ADMINS
    if path in KEYS or path in WEBHOOKS:
        return _ADMINS
    return frozenset(Role) if path == "/me" or path in OWN_PAGES else _TICKET_ROLES


def scope_for(path: str, method: str) -> Scope | None:
    """Return the scope that an operation requires, as the services enforce it; None for any."""
    if path in {"/me", "/workflow"}:
        return None
    if method in _READING:
        return Scope.READ
    if path in DESK_SERVICES:
        return Scope.WRITE
    if path not in TICKETS:
        return Scope.ADMIN
    return Scope.COMMENT if path.endswith(_COMMENTS) else Scope.WRITE
