"""The request bodies of the routes, with their examples."""

from typing import Annotated, Final

from fastapi import Body
from pydantic import BaseModel

from api.openapi import JSON
from api.openapi.directory_examples import GROUP_PATCH, NEW_GROUP, NEW_KEY, NEW_PERSON, PERSON_PATCH
from api.openapi.examples import NEW_COMMENT, NEW_TICKET, TICKET_PATCH
from schemas.groups import GroupCreate, GroupPatch
from schemas.keys import ApiKeyCreate
from schemas.people import PersonCreate, PersonPatch
from schemas.tickets import CommentCreate, TicketCreate, TicketPatch

NewTicket = Annotated[TicketCreate, Body(openapi_examples=NEW_TICKET)]
NewComment = Annotated[CommentCreate, Body(openapi_examples=NEW_COMMENT)]
Patch = Annotated[TicketPatch, Body(openapi_examples=TICKET_PATCH)]
NewPerson = Annotated[PersonCreate, Body(openapi_examples=NEW_PERSON)]
PersonChange = Annotated[PersonPatch, Body(openapi_examples=PERSON_PATCH)]
NewGroup = Annotated[GroupCreate, Body(openapi_examples=NEW_GROUP)]
GroupChange = Annotated[GroupPatch, Body(openapi_examples=GROUP_PATCH)]
NewKey = Annotated[ApiKeyCreate, Body(openapi_examples=NEW_KEY)]


def _merge_patch(model: type[BaseModel], examples: JSON) -> JSON:
    """Document the other media type: FastAPI accepts every one that ends in +json, but documents application/json."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"content": {"application/merge-patch+json": {"schema": schema, "examples": examples}}}}


TAKES_MERGE_PATCH: Final = _merge_patch(TicketPatch, TICKET_PATCH)
PATCHES_PERSON: Final = _merge_patch(PersonPatch, PERSON_PATCH)
PATCHES_GROUP: Final = _merge_patch(GroupPatch, GROUP_PATCH)
