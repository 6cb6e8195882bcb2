"""The tickets of a requester."""

from collections.abc import Awaitable, Callable
from functools import wraps

from fastapi import APIRouter, Response

from desk.desk_request import Asked
from desk.forms import ticket_number
from desk.my import new_ticket, own_ticket, own_tickets

router = APIRouter(prefix="/my/tickets")

Endpoint = Callable[..., Awaitable[Response]]


def for_requesters(endpoint: Endpoint) -> Endpoint:
    """Lead agents and admins to the desk: all tickets are theirs."""

    @wraps(endpoint)
    async def led(asked: Asked, **parameters: str) -> Response:
        is_staff = asked.principal.requester_email is None
        return asked.redirect("desk") if is_staff else await endpoint(asked=asked, **parameters)

    return led


@router.get("")
@for_requesters
async def show_list(asked: Asked) -> Response:
    """Show the tickets of the requester."""
    return await own_tickets.list_page(asked)


@router.get("/new")
@for_requesters
async def show_new(asked: Asked) -> Response:
    """Show the form of a new ticket."""
    return await new_ticket.new_page(asked)


@router.post("")
@for_requesters
async def create(asked: Asked) -> Response:
    """Create a ticket."""
    return await new_ticket.create(asked)


@router.get("/{ticket}")
@for_requesters
async def show_ticket(ticket: str, asked: Asked) -> Response:
    """Show a ticket."""
    return await own_ticket.ticket_page(asked, ticket_number(ticket))


@router.post("/{ticket}/comments")
@for_requesters
async def reply(ticket: str, asked: Asked) -> Response:
    """Add a reply."""
    return await own_ticket.reply(asked, ticket_number(ticket))


@router.post("/{ticket}/close")
@for_requesters
async def close(ticket: str, asked: Asked) -> Response:
    """Close a ticket."""
    return await own_ticket.close(asked, ticket_number(ticket))


@router.post("/{ticket}/follow-up")
@for_requesters
async def follow_up(ticket: str, asked: Asked) -> Response:
    """Continue a closed ticket in a new one."""
    return await own_ticket.follow_up(asked, ticket_number(ticket))
