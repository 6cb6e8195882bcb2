"""Sets of paths that the middleware treats alike, and the roles that have access to them."""

from collections.abc import Set
from typing import Final

from models import Role


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
# The root leads browsers to the docs.
DOCS: Final = PathSet("/docs", "/")
TICKETS: Final = PathSet("/tickets")

# Respond in JSON only.
JSON_ONLY: Final = TICKETS | PathSet("/workflow")
# Require no authentication, and take no body.
PUBLIC: Final = PROBES | DOCS | PathSet("/openapi.json", "/problems")
# Requested by load balancers and Prometheus every few seconds.
POLLED: Final = PROBES | METRICS
# Caches must not store them: tickets contain personal texts and addresses, and the others are of this moment.
NOT_STORED: Final = TICKETS | POLLED
# Exempt from the rate limit and the concurrency limit: a refused probe takes the instance out of service, and a refused
# file breaks a page.
UNLIMITED: Final = POLLED | DOCS

_METRICS_ROLES: Final[Set[Role]] = {Role.AGENT, Role.MONITOR}
_TICKET_ROLES: Final[Set[Role]] = {Role.AGENT, Role.REQUESTER}


def roles_for(path: str) -> Set[Role]:
    """Return the roles that have access to a path that is not public."""
    return _METRICS_ROLES if path in METRICS else _TICKET_ROLES
