"""Swagger UI, served by the service itself."""

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from api.page_policy import with_policy

router = APIRouter(prefix="/docs", include_in_schema=False)


@router.get("")
async def docs(request: Request) -> HTMLResponse:
    """Show the operations, and let one try them. Addresses are relative, to stand below any prefix."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=f"{request.app.title} - Swagger UI",
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url="docs/assets/favicon.png",
        swagger_ui_parameters=request.app.swagger_ui_parameters,
    )
    return with_policy(page, "style-src 'self'")
