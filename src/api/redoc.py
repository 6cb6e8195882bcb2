"""ReDoc, served by the service itself; its bundle would ask a host of its makers for their logo."""

from functools import cache
from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_redoc_html
from fastapi.responses import HTMLResponse

from api.page_policy import with_policy

_BUNDLE: Final = Path(fastapi_offline.__file__).parent / "static" / "redoc.standalone.js"
_LOGO: Final = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
# No picture: ReDoc leaves out a logo that can not be shown.
_NOTHING: Final = b"data:,"

router = APIRouter(prefix="/redoc", include_in_schema=False)


@router.get("")
async def redoc(request: Request) -> HTMLResponse:
    """Show the OpenAPI document as a page to read. Addresses are relative, to stand below any prefix."""
    page = get_redoc_html(
        openapi_url="openapi.json",
        title=f"{request.app.title} - ReDoc",
        redoc_js_url="redoc/bundle.js",
        redoc_favicon_url="docs/assets/favicon.png",
        with_google_fonts=False,
    )
    # It makes the worker that searches, and its styles, while it runs.
    return with_policy(page, "worker-src blob:", "style-src 'unsafe-inline'")


@router.get("/bundle.js")
def redoc_bundle() -> Response:
    """Return the program of the page."""
    return Response(_bundle(), media_type="text/javascript", headers={"Cache-Control": "max-age=3600"})


@cache
def _bundle() -> bytes:
    return _BUNDLE.read_bytes().replace(_LOGO, _NOTHING)
