"""What every answer tells a browser that shows it: to guess nothing, to run nothing, to tell nobody, to keep nothing.

`Strict-Transport-Security` only goes with what came by https: over http a browser must ignore it (RFC 6797, 7.2), and
whether the service is to be had by https at all is known to the proxy that ends TLS.
"""

from collections.abc import Iterable
from typing import Final

from starlette.types import Scope

from api.paths import TICKETS

Headers = list[tuple[bytes, bytes]]

POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")

_ALWAYS: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]
_BY_HTTPS: Final[Headers] = [(b"strict-transport-security", b"max-age=31536000")]
# Tickets hold what people wrote and their addresses. The lookup says itself that it may be kept but not used unasked.
_NOT_KEPT: Final = (b"cache-control", b"no-store")


def secured(headers: Iterable[tuple[bytes, bytes]], scope: Scope) -> Headers:
    """Return an answer's headers with these; a policy and a Cache-Control of its own stay."""
    complete = [*headers, *_ALWAYS]
    names = {name for name, _ in complete}
    if POLICY[0] not in names:
        complete.append(POLICY)
    if _NOT_KEPT[0] not in names and scope["path"] in TICKETS:
        complete.append(_NOT_KEPT)
    if scope["scheme"] == "https":
        complete += _BY_HTTPS
    return complete
