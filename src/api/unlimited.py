"""What no limit applies to: the probes and the metrics, whose askers must not be turned away, and the pages' files."""

from typing import Final

from starlette.types import Scope

_PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})
_PAGES: Final = ("/docs", "/redoc")


def is_unlimited(scope: Scope) -> bool:
    """Return whether a request is let through whatever else is going on."""
    path: str = scope["path"]
    return path in _PROBES or path.startswith(_PAGES)
