"""What the scripts of the desk need beside pages: the stream of changes."""

from fastapi import APIRouter, Response

from desk.desk_request import Asked
from desk.live import live_response

router = APIRouter(prefix="/desk")


@router.get("/events")
async def stream(asked: Asked) -> Response:
    """Return the stream of changed tickets."""
    return live_response(asked)
