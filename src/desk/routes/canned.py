"""The canned replies."""

from fastapi import APIRouter, Response

from desk import canned_pages
from desk.desk_request import Asked
from desk.forms import ticket_number

router = APIRouter(prefix="/desk/canned")


@router.get("")
async def show_canned(asked: Asked) -> Response:
    """Show the canned replies."""
    return await canned_pages.canned_page(asked)


@router.get("/found")
async def find_replies(asked: Asked) -> Response:
    """Return the replies that fit what is typed."""
    return await canned_pages.found_replies(asked)


@router.get("/new")
async def show_new_reply(asked: Asked) -> Response:
    """Show the form of a new reply."""
    return await canned_pages.new_reply_page(asked)


@router.post("")
async def create_reply(asked: Asked) -> Response:
    """Create a reply."""
    return await canned_pages.create_reply(asked)


@router.get("/{reply}")
async def show_reply(reply: str, asked: Asked) -> Response:
    """Show the form of a reply."""
    return await canned_pages.reply_page(asked, ticket_number(reply))


@router.get("/{reply}/rendered")
async def render_reply(reply: str, asked: Asked) -> Response:
    """Return the text of a reply for a ticket."""
    return await canned_pages.rendered_reply(asked, ticket_number(reply))


@router.post("/{reply}")
async def change_reply(reply: str, asked: Asked) -> Response:
    """Change a reply."""
    return await canned_pages.change_reply(asked, ticket_number(reply))


@router.post("/{reply}/delete")
async def delete_reply(reply: str, asked: Asked) -> Response:
    """Delete a reply."""
    return await canned_pages.delete_reply(asked, ticket_number(reply))
