"""The set-up: the page that makes the first admin."""

from fastapi import APIRouter, Response

from desk import set_up_pages
from desk.sign_in_request import Sent

router = APIRouter(prefix="/set-up")


@router.get("")
async def show_set_up(sent: Sent) -> Response:
    """Show the form of the set-up, as long as it is open."""
    return await set_up_pages.set_up_page(sent)


@router.post("")
async def claim(sent: Sent) -> Response:
    """Make the first admin."""
    return await set_up_pages.claim(sent)
