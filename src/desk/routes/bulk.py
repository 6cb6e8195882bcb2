"""Changes of several tickets."""

from fastapi import APIRouter, Response

from desk import bulk_pages
from desk.desk_request import Asked
from desk.forms import ticket_number

router = APIRouter(prefix="/desk/bulk")


@router.post("")
async def show_bulk(asked: Asked) -> Response:
    """Show the form of a bulk change."""
    return await bulk_pages.bulk_page(asked)


@router.post("/try")
async def try_bulk(asked: Asked) -> Response:
    """Show what a bulk change would do."""
    return await bulk_pages.try_bulk(asked)


@router.post("/start")
async def start_bulk(asked: Asked) -> Response:
    """Start a bulk change."""
    return await bulk_pages.start_bulk(asked)


@router.get("/{run}")
async def show_progress(run: str, asked: Asked) -> Response:
    """Show the progress of a bulk change."""
    return await bulk_pages.progress_page(asked, ticket_number(run))
