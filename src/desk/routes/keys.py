"""The page of all keys."""

from fastapi import APIRouter, Response

from desk.desk_request import Asked
from desk.key_table import KEYS

router = APIRouter(prefix="/desk")


@router.get("/keys")
async def show_keys(asked: Asked) -> Response:
    """Show all keys, and the switch of the single ones."""
    return asked.page("keys.html", {"keys": KEYS})
