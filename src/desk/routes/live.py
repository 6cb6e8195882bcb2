"""What is of this moment: the stream of changes, drafts, and presences."""

from fastapi import APIRouter, Response

from desk import drafts, sending
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


@router.get("/drafts/sending")
async def show_sending(asked: Asked) -> Response:
    """Return which tickets have a comment of the viewer that is about to be sent, or was refused."""
    return await sending.sending_state(asked)


@router.get("/presences")
async def presences(asked: Asked) -> Response:
    """Return the other agents on the tickets of a list."""
    return await drafts.presences(asked)
