"""Sets of paths that the middleware treats alike."""

from typing import Final


class PathSet:
    """Some paths and everything below them, but for the root alone; `path in PATHS` tests a path."""

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
