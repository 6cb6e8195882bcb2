"""The scripts and styles of the desk."""

from fastapi import APIRouter, Request, Response

from desk.assets import Assets

router = APIRouter(prefix="/desk/assets")


@router.get("/{version}/{name:path}")
async def asset(version: str, name: str, request: Request) -> Response:
    """Return a file of the current version."""
    assets: Assets = request.app.state.desk.assets
    return assets.response(version, name, request.headers)
