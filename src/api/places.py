"""The places of the service, by their paths."""

from typing import Final

PROBES: Final = ("/livez", "/readyz")
METRICS: Final = "/metrics"
PAGES: Final = ("/docs", "/redoc")
ABOUT: Final = ("/openapi.json", "/problems")
JSON: Final = ("/tickets", "/workflow")


def is_below(path: str, places: tuple[str, ...]) -> bool:
    """Return whether a path is one of the places, or below it."""
    return any(path == place or path.startswith(f"{place}/") for place in places)
