"""What the OpenAPI document says of the headers of answers; the routes name them."""

from typing import Any, Final

_TEXT: Final = {"type": "string"}
_VERSION: Final = {"type": "string", "pattern": '^"[0-9]+"$'}

HEADERS: Final[dict[str, dict[str, Any]]] = {
    "X-Request-Id": {
        "description": "The id of this request: yours if you sent a well-formed one, else a new one; also in the logs.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "example": "4f9d0c2e6b1a4d7c",
    },
    "WWW-Authenticate": {
        "description": "How to authenticate, and what was wrong with the credentials (RFC 6750).",
        "required": True,
        "schema": _TEXT,
        "example": 'Bearer realm="tickets"',
    },
    "ETag": {
        "description": "The ticket's version. Send it back in If-Match to change what you saw and nothing else.",
        "required": True,
        "schema": _VERSION,
        "example": '"2"',
    },
    "Location": {
        "description": "Where the new ticket is.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/tickets/1",
    },
    "Link": {
        "description": 'The next page (RFC 8288), as `<address>; rel="next"`; not there on the last page.',
        "schema": _TEXT,
        "example": '</tickets?limit=50&cursor=WyJ0Il0>; rel="next"',
    },
    "Cache-Status": {
        "description": "Where the answer came from (RFC 9211): `hit`, `fwd=miss` with `stored` or `collapsed`, or "
        "`fwd=bypass`.",
        "required": True,
        "schema": _TEXT,
        "example": "tickets; hit",
    },
    "Cache-Control": {
        "description": "You may keep the answer, but ask with If-None-Match each time whether it still stands.",
        "required": True,
        "schema": _TEXT,
        "example": "no-cache",
    },
    "Idempotent-Replayed": {
        "description": "There if this is the answer that an earlier request with the same Idempotency-Key got.",
        "schema": {"type": "string", "const": "true"},
        "example": "true",
    },
    "Retry-After": {
        "description": "In how many seconds to send the same request again, for what may succeed later.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 1,
    },
    "RateLimit-Policy": {
        "description": "How many requests (`q`) you have in how many seconds (`w`); in every answer, where there is a "
        "limit (draft-ietf-httpapi-ratelimit-headers).",
        "schema": _TEXT,
        "example": '"default";q=600;w=60',
    },
    "RateLimit": {
        "description": "How many requests remain to you now (`r`), and after how many seconds all of them are back "
        "(`t`); in every answer, where there is a limit.",
        "schema": _TEXT,
        "example": '"default";r=0;t=60',
    },
}
