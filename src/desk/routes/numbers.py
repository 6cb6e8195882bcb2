"""The numbers."""

from fastapi import APIRouter, Response

from desk import number_pages
from desk.desk_request import Asked

router = APIRouter(prefix="/desk/numbers")


@router.get("")
async def show_numbers(asked: Asked) -> Response:
    """Show what waits now, and what happened in the last days."""
    return await number_pages.numbers_page(asked)
