"""The administration: the pages of each area."""

from fastapi import APIRouter, Response

from desk.admin import pages
from desk.desk_request import Asked

router = APIRouter(prefix="/desk/admin")


@router.get("")
async def show_areas(asked: Asked) -> Response:
    """Show the areas."""
    return await pages.index_page(asked)


@router.get("/{area}")
async def show_list(area: str, asked: Asked) -> Response:
    """Show the definitions of an area."""
    return await pages.list_page(asked, area)


@router.post("/{area}")
async def create(area: str, asked: Asked) -> Response:
    """Create a definition."""
    return await pages.create(asked, area)


@router.get("/{area}/new")
async def show_new(area: str, asked: Asked) -> Response:
    """Show the form of a new definition."""
    return await pages.new_page(asked, area)


@router.get("/{area}/{key}")
async def show(area: str, key: str, asked: Asked) -> Response:
    """Show a definition."""
    return await pages.show(asked, area, key)


@router.post("/{area}/{key}")
async def change(area: str, key: str, asked: Asked) -> Response:
    """Change a definition."""
    return await pages.change(asked, area, key)


@router.get("/{area}/{key}/{name}")
async def show_part(area: str, key: str, name: str, asked: Asked) -> Response:
    """Show a page below that of a definition."""
    return await pages.part(asked, area, key, name)


@router.post("/{area}/{key}/{name}")
async def push(area: str, key: str, name: str, asked: Asked) -> Response:
    """Do what one button of a definition says."""
    return await pages.act(asked, area, key, name)
