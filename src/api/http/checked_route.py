"""The route class of the resources: it checks what FastAPI accepts without an error or at a high cost."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api.http.json_body import check_json
from api.http.query import ONCE, check_query

# FastAPI itself accepts each media type that ends in +json. That of a JSON Patch (RFC 6902) has another meaning.
PATCH_MEDIA_TYPES: Final = ("application/json", "application/merge-patch+json")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class CheckedRoute(APIRoute):
    """A route that refuses an ambiguous query (422), and JSON that is too complex (422) or not UTF-8 (400).

    The body of a PATCH has one of two media types (415).
    """

    def get_route_handler(self) -> Handler:
        """Return the handler of FastAPI with the checks before it."""
        handle = super().get_route_handler()
        has_body, is_patch = self.body_field is not None, "PATCH" in (self.methods or ())

        async def handle_checked(request: Request) -> Response:
            if request.scope["query_string"]:
                check_query(request.scope["query_string"])
            if has_body:
                await _check_body(request, is_patch=is_patch)
            return await handle(request)

        return handle_checked


async def _check_body(request: Request, *, is_patch: bool) -> None:
    content_types = request.headers.getlist("content-type")
    if len(content_types) > 1:
        raise repeated_header("Content-Type")
    media_type = "".join(content_types).partition(";")[0].strip().lower()
    body = await request.body()
    if is_patch and body and media_type not in PATCH_MEDIA_TYPES:
        raise HTTPException(415, headers={"Accept-Patch": ", ".join(PATCH_MEDIA_TYPES)})
    if "json" in media_type:  # FastAPI refuses other media types
        check_json(body)


def repeated_header(name: str) -> RequestValidationError:
    """Return the error for a header that has one value and several lines."""
    return RequestValidationError([{"type": "repeated", "loc": ("header", name), "msg": ONCE}])
