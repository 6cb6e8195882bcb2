"""The saved views."""

from fastapi import APIRouter, Response

from desk import view_pages
from desk.desk_request import Asked
from desk.forms import ticket_number

router = APIRouter(prefix="/desk/views")


@router.get("")
async def show_views(asked: Asked) -> Response:
    """Show the views with the numbers of their tickets."""
    return await view_pages.views_page(asked)


@router.get("/new")
async def show_new_view(asked: Asked) -> Response:
    """Show the form that saves the filters of the query."""
    return await view_pages.new_view_page(asked)


@router.post("")
async def create_view(asked: Asked) -> Response:
    """Save a view."""
    return await view_pages.create_view(asked)


@router.post("/{view}")
async def change_view(view: str, asked: Asked) -> Response:
    """Rename a view."""
    return await view_pages.change_view(asked, ticket_number(view))


@router.post("/{view}/delete")
async def delete_view(view: str, asked: Asked) -> Response:
    """Delete a view."""
    return await view_pages.delete_view(asked, ticket_number(view))
