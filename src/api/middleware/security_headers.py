"""The security headers of every response: browsers sniff no type, run nothing, send no referrer and store no ticket.

`Strict-Transport-Security` is sent over https only: browsers must ignore it over http (RFC 6797, 7.2), and only the
proxy that terminates TLS knows whether the service is available over https at all.
"""

from collections.abc import Iterable
from typing import Final

from starlette.types import Scope

from api.paths import NOT_STORED

Headers = list[tuple[bytes, bytes]]

POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")

_ALWAYS: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]
_HTTPS_ONLY: Final[Headers] = [(b"strict-transport-security", b"max-age=31536000")]
# Tickets contain personal texts and email addresses. The lookup sets its own Cache-Control, `no-cache`: clients may
# store its response, but must revalidate it.
_NO_STORE: Final = (b"cache-control", b"no-store")


def secured(headers: Iterable[tuple[bytes, bytes]], scope: Scope) -> Headers:
    """Return the headers of a response with the security headers; its own values are kept."""
    complete = [*headers]
    names = {name for name, _ in complete}
    complete += [header for header in _ALWAYS if header[0] not in names]
    if POLICY[0] not in names:
        complete.append(POLICY)
    if _NO_STORE[0] not in names and scope["path"] in NOT_STORED:
        complete.append(_NO_STORE)
    if scope["scheme"] == "https":
        complete += _HTTPS_ONLY
    return complete
