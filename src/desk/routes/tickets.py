"""A ticket: its pages and its forms."""

from fastapi import APIRouter, Response

from desk import composing, drafts, editing, sending
from desk.acts import act
from desk.comment_pages import comments_page
from desk.desk_request import Asked
from desk.forms import ticket_number
from desk.timeline import timeline_page

router = APIRouter(prefix="/desk/tickets")


@router.get("/new")
async def show_new(asked: Asked) -> Response:
    """Show the form of a new ticket."""
    return await editing.new_page(asked)


@router.post("")
async def create(asked: Asked) -> Response:
    """Create a ticket."""
    return await editing.create(asked)


@router.get("/{ticket}")
async def show_ticket(ticket: str, asked: Asked) -> Response:
    """Show a ticket; with `?part=ticket`, what changes of it."""
    return await composing.show_ticket(asked, ticket_number(ticket))


@router.get("/{ticket}/comments")
async def show_comments(ticket: str, asked: Asked) -> Response:
    """Show all comments, page by page."""
    return await comments_page(asked, ticket_number(ticket))


@router.post("/{ticket}/comments")
async def send(ticket: str, asked: Asked) -> Response:
    """Add a reply or a note."""
    return await composing.send(asked, ticket_number(ticket))


@router.post("/{ticket}/status")
async def move(ticket: str, asked: Asked) -> Response:
    """Make a transition."""
    return await composing.move(asked, ticket_number(ticket))


@router.get("/{ticket}/timeline")
async def show_timeline(ticket: str, asked: Asked) -> Response:
    """Show every version."""
    return await timeline_page(asked, ticket_number(ticket))


@router.get("/{ticket}/edit")
async def show_edit(ticket: str, asked: Asked) -> Response:
    """Show the form of the fields."""
    return await editing.edit_page(asked, ticket_number(ticket))


@router.post("/{ticket}/edit")
async def save(ticket: str, asked: Asked) -> Response:
    """Save the fields."""
    return await editing.save(asked, ticket_number(ticket))


@router.post("/{ticket}/follow-up")
async def follow_up(ticket: str, asked: Asked) -> Response:
    """Open a follow-up of a closed ticket."""
    return await editing.follow_up(asked, ticket_number(ticket))


@router.post("/{ticket}/draft")
async def save_draft(ticket: str, asked: Asked) -> Response:
    """Store what was typed so far."""
    return await drafts.save_draft(asked, ticket_number(ticket))


@router.post("/{ticket}/call-back")
async def call_back(ticket: str, asked: Asked) -> Response:
    """Call a reply or a note back before it is sent."""
    return await sending.call_back(asked, ticket_number(ticket))


@router.post("/{ticket}/presence")
async def mark_presence(ticket: str, asked: Asked) -> Response:
    """Store that the viewer looks at the ticket or writes on it."""
    return await drafts.mark_presence(asked, ticket_number(ticket))


@router.post("/{ticket}/leave")
async def leave(ticket: str, asked: Asked) -> Response:
    """Store that the viewer has left the ticket."""
    return await drafts.leave(asked, ticket_number(ticket))


@router.post("/{ticket}/{name}")
async def push(ticket: str, name: str, asked: Asked) -> Response:
    """Do what one button says: see `desk.acts`."""
    return await act(asked, ticket_number(ticket), name)
