"""The applications that the service is compared with: they do less of the same work, on the same web server."""

from datetime import UTC, datetime
from itertools import count

from fastapi import FastAPI, Response
from starlette.types import Receive, Scope, Send

from models import TicketStatus
from schemas.tickets import Ticket, TicketCreate
from services.tickets.ticket_status import allowed_from

# As long as a preloaded ticket that is serialised with its comments.
_BODY = b'{"text": "%s"}' % (b"x" * 1_000)
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())],
}


async def bare(scope: Scope, _receive: Receive, send: Send) -> None:
    """Send the same bytes as the response to every request."""
    if scope["type"] == "http":
        await send(_START)
        await send({"type": "http.response.body", "body": _BODY})


def validated() -> FastAPI:
    """Return an application with one route, which validates and serialises a new ticket and stores nothing."""
    app, ids = FastAPI(), count(1)

    @app.post("/tickets", status_code=201)
    async def create_ticket(new: TicketCreate, response: Response) -> Ticket:
        now, ticket_id = datetime.now(UTC), next(ids)
        response.headers.update({"Location": f"/tickets/{ticket_id}", "ETag": '"1"'})
        row = new.model_dump() | {"id": ticket_id, "status": "open", "version": 1, "comment_count": 0}
        row |= {"participants": [], "follow_up_of": None, "merged_into": None}
        times = {"created_at": now, "updated_at": now, "closed_at": None}
        return Ticket.model_validate(row | times | {"allowed_transitions": allowed_from(TicketStatus.OPEN)})

    return app
