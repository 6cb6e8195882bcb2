"""Swagger UI, served by the service itself; its Content-Security-Policy permits no other source."""

import base64
import hashlib
import os
import re
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

router = APIRouter(prefix="/docs", include_in_schema=False)

_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


@router.get("")
async def docs(request: Request) -> HTMLResponse:
    """Return the Swagger UI page. Its links are relative, so that the service can be mounted below any prefix."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=f"{request.app.title} - Swagger UI",
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url="docs/assets/favicon.png",
        swagger_ui_parameters=request.app.swagger_ui_parameters,
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body))
    return page


def omit_redoc(app: FastAPI) -> None:
    """Serve the files of Swagger UI only: fastapi-offline also mounts those of ReDoc, 1.1 MB, which no page uses."""
    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, StaticFiles):
            route.app = _SwaggerUIFiles(directory=route.app.directory)


class _SwaggerUIFiles(StaticFiles):
    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        return ("", None) if path.startswith("redoc") else super().lookup_path(path)


def _policy(page: bytes) -> str:
    """Return a Content-Security-Policy that permits the page's inline scripts by their hashes, and no others."""
    hashes = "".join(f" 'sha256-{_digest(script)}'" for script in _SCRIPT.findall(page))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self'{hashes}",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _digest(script: bytes) -> str:
    return base64.b64encode(hashlib.sha256(script).digest()).decode()
