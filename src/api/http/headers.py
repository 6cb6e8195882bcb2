"""Headers that several operations share: Link, Idempotency-Key, Allow."""

from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import Depends, Header, Request
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path
from starlette.types import Scope

from api.http.checked_route import repeated_header
from models.idempotency_key import KEY_MAX_LENGTH
from services.idempotency import RetryKey

# Visible ASCII, with or without quotes, as current clients send it.
_IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_MAX_LENGTH,
        pattern="^[!-~]+$",
        description="A name of your choice for this request, for example a UUID. Within 24 hours, the same request "
        "with the same key is executed once. Another request with this key is refused (422).",
        examples=["7f1c4b1e-3c1d-4a57-9d6a-0f8f5a2b9c11"],
    ),
]


async def _retry_key(request: Request, key: _IdempotencyKey = None) -> RetryKey | None:
    if len(request.headers.getlist("Idempotency-Key")) > 1:
        raise repeated_header("Idempotency-Key")
    return None if key is None else RetryKey(key, await request.body())


IdempotencyKey = Annotated[RetryKey | None, Depends(_retry_key)]


def link_to_next(scope: Scope, cursor: str | None) -> dict[str, str]:
    """Return the Link header (RFC 8288) to the next page; no header on the last page."""
    if cursor is None:
        return {}
    sent = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True) if scope["query_string"] else []
    query = urlencode([*((name, value) for name, value in sent if name != "cursor"), ("cursor", cursor)])
    return {"Link": f'<{scope["path"]}?{query}>; rel="next"'}


def etag_of(version: int) -> dict[str, str]:
    """Return the ETag header of a version."""
    return {"ETag": f'"{version}"'}


def location_of(collection: str, id_: str | int) -> dict[str, str]:
    """Return the Location header of a new resource."""
    return {"Location": f"{collection}/{quote(str(id_), safe=':')}"}


def allowed_methods(request: Request) -> list[str]:
    """Return every method that the path of a request supports, sorted; a 405 of FastAPI names one route's methods only.

    `fastapi.routing.iter_route_contexts` is undocumented. It yields the routes of the included routers too.
    """
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path and route.methods and compile_path(route.path)[0].fullmatch(request.url.path):
            methods |= route.methods
    # A path without a route is a static file of the documentation pages: read-only.
    methods = methods or {"GET"}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)
