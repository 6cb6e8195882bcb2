"""The lists of tickets."""

from fastapi import APIRouter, Response

from desk.desk_request import Asked
from desk.forms import ticket_number
from desk.ticket_lists import filters_page, ticket_list, ticket_row

router = APIRouter(prefix="/desk")

QUEUE = "desk/tickets?status=open&status=awaiting_reply&sort=-updated_at"


@router.get("")
async def home(asked: Asked) -> Response:
    """Open the queue: the tickets that wait for an agent."""
    return asked.redirect(QUEUE)


@router.get("/tickets")
async def show_list(asked: Asked) -> Response:
    """Show a page of tickets; the query has the parameters of `GET /tickets`."""
    return asked.page("list.html", {"list": await ticket_list(asked)})


@router.get("/filters")
async def show_filters(asked: Asked) -> Response:
    """Show the form of the filters."""
    return await filters_page(asked)


@router.get("/row")
async def show_row(asked: Asked) -> Response:
    """Return the row of one ticket. Its URL has as many segments as that of the list: links in it are relative."""
    ticket = asked.request.query_params.get("ticket", "")
    return asked.page("row.html", {"row": await ticket_row(asked, ticket_number(ticket))})
