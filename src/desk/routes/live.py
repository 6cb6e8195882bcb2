"""What is of this moment: the stream of changes, drafts, and presences."""

from fastapi import APIRouter, Response

from desk import drafts
from desk.desk_request import Asked
from desk.live import live_response

router = APIRouter(prefix="/desk")


@router.get("/events")
async def stream(asked: Asked) -> Response:
    """Return the stream of changed tickets."""
    return live_response(asked)


@router.get("/drafts")
async def show_drafts(asked: Asked) -> Response:
    """Show the drafts of the viewer."""
    return await drafts.drafts_page(asked)


@router.get("/presences")
async def presences(asked: Asked) -> Response:
    """Return the other agents on the tickets of a list."""
    return await drafts.presences(asked)
