"""What no limit applies to: the probes and the metrics, whose askers must not be turned away, and the pages' files."""

from starlette.types import Scope

from api.places import METRICS, PAGES, PROBES, is_below


def is_unlimited(scope: Scope) -> bool:
    """Return whether a request is let through whatever else is going on."""
    return is_below(scope["path"], (*PROBES, METRICS, *PAGES))
