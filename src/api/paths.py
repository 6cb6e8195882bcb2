"""The places of the service, by their paths."""

from typing import Final


class PathSet:
    """Some places, and all that is below them: `path in AREA`."""

    def __init__(self, *places: str) -> None:
        self.places: Final = places
        self._exact = frozenset(places)
        self._below = tuple(f"{place}/" for place in places)

    def __contains__(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._below)

    def __or__(self, other: "PathSet") -> "PathSet":
        return PathSet(*self.places, *other.places)


PROBES: Final = PathSet("/livez", "/readyz")
METRICS: Final = PathSet("/metrics")
PAGES: Final = PathSet("/docs", "/")
ABOUT: Final = PathSet("/openapi.json", "/problems")
TICKETS: Final = PathSet("/tickets")
JSON: Final = TICKETS | PathSet("/workflow")

# What anybody may see: the probes, and what the service says of itself.
OPEN: Final = PROBES | PAGES | ABOUT
# What machines ask for every few seconds.
POLLED: Final = PROBES | METRICS
# What no limit applies to: what is polled must not be turned away, nor the pages' files.
UNLIMITED: Final = POLLED | PAGES
