"""Sign-in links that agents copy for requesters."""

from fastapi import APIRouter, Response

from desk import sign_in_link_pages
from desk.desk_request import Asked

router = APIRouter(prefix="/desk/sign-in-links")


@router.get("")
async def show_form(asked: Asked) -> Response:
    """Show the form; the query may have the address."""
    return sign_in_link_pages.form_page(asked, asked.request.query_params.get("email", ""))


@router.post("")
async def make_link(asked: Asked) -> Response:
    """Make a link, and show it once."""
    return await sign_in_link_pages.make_link(asked)
