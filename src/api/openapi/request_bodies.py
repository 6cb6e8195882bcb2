"""The bodies that the routes take, with their examples."""

from typing import Annotated, Any, Final

from fastapi import Body

from api.openapi.examples import NEW_COMMENT, NEW_TICKET, TICKET_PATCH
from schemas.tickets import CommentCreate, TicketCreate, TicketPatch

NewTicket = Annotated[TicketCreate, Body(openapi_examples=NEW_TICKET)]
NewComment = Annotated[CommentCreate, Body(openapi_examples=NEW_COMMENT)]
Patch = Annotated[TicketPatch, Body(openapi_examples=TICKET_PATCH)]

# FastAPI reads every media type that ends in +json, and documents one.
TAKES_MERGE_PATCH: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {
            "application/merge-patch+json": {
                "schema": {"$ref": f"#/components/schemas/{TicketPatch.__name__}"},
                "examples": TICKET_PATCH,
            }
        }
    }
}
