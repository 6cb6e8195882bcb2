"""The response headers of the OpenAPI document; responses refer to them by name."""

from typing import Any, Final

from api.http.checked_route import PATCH_MEDIA_TYPES
from schemas.pages import CURSOR_EXAMPLE

_TEXT: Final = {"type": "string"}
_VERSION: Final = {"type": "string", "pattern": '^"[0-9]+"$'}

HEADERS: Final[dict[str, dict[str, Any]]] = {
    "X-Request-Id": {
        "description": "The id of the request, also in the log of the service: the id that the client sent if it is "
        "well-formed, otherwise a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "example": "4f9d0c2e6b1a4d7c",
    },
    "WWW-Authenticate": {
        "description": "The authentication scheme, and the reason if credentials were rejected (RFC 6750). A 403 has "
        "it for `insufficient-scope` only.",
        "schema": _TEXT,
        "example": 'Bearer realm="tickets"',
    },
    "ETag": {
        "description": "The version of the resource. Send it in `If-Match` to change only this version.",
        "required": True,
        "schema": _VERSION,
        "example": '"2"',
    },
    "Location": {
        "description": "The path of the new resource.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/tickets/1",
    },
    "Accept-Patch": {
        "description": "The media types of a patch (RFC 5789); only in responses to `PATCH`.",
        "schema": _TEXT,
        "example": ", ".join(PATCH_MEDIA_TYPES),
    },
    "Link": {
        "description": 'The next page (RFC 8288), as `<path>; rel="next"`; absent on the last page.',
        "schema": _TEXT,
        "example": f'</tickets?limit=50&cursor={CURSOR_EXAMPLE}>; rel="next"',
    },
    "Cache-Status": {
        "description": "Whether the response comes from the cache (RFC 9211): `hit`; `fwd=miss`, with `stored` or "
        "`collapsed`; or `fwd=bypass`.",
        "required": True,
        "schema": _TEXT,
        "example": "tickets; hit",
    },
    "Cache-Control": {
        "description": "Caches may store the response and must revalidate it with `If-None-Match` before each use.",
        "required": True,
        "schema": _TEXT,
        "example": "no-cache",
    },
    "Idempotent-Replayed": {
        "description": "Present if an earlier request with the same `Idempotency-Key` produced this response.",
        "schema": {"type": "string", "const": "true"},
        "example": "true",
    },
    "Retry-After": {
        "description": "The number of seconds to wait before a retry.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 1,
    },
    "RateLimit-Policy": {
        "description": "The quota of requests (`q`) and its window in seconds (`w`); absent on probes "
        "and if the service has no rate limit (draft-ietf-httpapi-ratelimit-headers-10).",
        "schema": _TEXT,
        "example": '"default";q=600;w=60',
    },
    "RateLimit": {
        "description": "The remaining quota (`r`) and the seconds until all of it is available again (`t`); absent on "
        "probes and if the service has no rate limit.",
        "schema": _TEXT,
        "example": '"default";r=599;t=1',
    },
}
