"""The request bodies of the routes, with their examples."""

from typing import Annotated, Any, Final

from fastapi import Body

from api.openapi.examples import NEW_COMMENT, NEW_TICKET, TICKET_PATCH
from schemas.tickets import CommentCreate, TicketCreate, TicketPatch

NewTicket = Annotated[TicketCreate, Body(openapi_examples=NEW_TICKET)]
NewComment = Annotated[CommentCreate, Body(openapi_examples=NEW_COMMENT)]
Patch = Annotated[TicketPatch, Body(openapi_examples=TICKET_PATCH)]

# FastAPI accepts every media type that ends in +json, but documents only application/json.
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
