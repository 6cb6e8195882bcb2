"""Canned replies, in requests and in responses, and the variables of their texts."""

import re
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from models.canned_reply import REPLY_MAX_LENGTH, SHORTCUT_MAX_LENGTH, TITLE_MAX_LENGTH
from schemas.fields import ID_MAX, Name, Storable, plain_number, text_schema
from schemas.lists import Paging
from schemas.numbers import BodyId
from schemas.pages import NextCursor
from schemas.request_body import MergePatch, RequestBody, without_default

VARIABLES: Final = (
    "ticket.id",
    "ticket.subject",
    "ticket.status",
    "ticket.priority",
    "ticket.requester.name",
    "ticket.requester.email",
    "ticket.assignee.name",
    "ticket.group.name",
    "me.name",
    "me.email",
)
VARIABLE: Final = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
UNKNOWN_VARIABLE: Final = f"must have no other variables than {', '.join(VARIABLES)}"
_TIME: Final = "2026-03-02T12:31:07.120345Z"
_TEXT: Final = "Hello {{ticket.requester.name}}, have you tried water? {{me.name}}"


def _of_known_variables(text: str) -> str:
    if any(name not in VARIABLES for name in VARIABLE.findall(text)):
        raise PydanticCustomError("unknown_variable", UNKNOWN_VARIABLE)
    return text


Title = Annotated[Name, Field(description="The title, for lists.", examples=["Ask about water"])]
Shortcut = Annotated[
    str,
    StringConstraints(min_length=1, max_length=SHORTCUT_MAX_LENGTH, pattern=r"^[a-z0-9][a-z0-9_\-]*$"),
    Field(description="What agents type to find the reply; no two replies have the same one.", examples=["water"]),
]
ReplyText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=REPLY_MAX_LENGTH,
        description=f"The text. These variables in double braces are replaced: {', '.join(VARIABLES)}. "
        "No others are accepted.",
    ),
    Storable,
    AfterValidator(_of_known_variables),
    text_schema(REPLY_MAX_LENGTH, _TEXT),
]
_GROUP: Final = "The group whose members see the reply. Null: all agents see it."
if TITLE_MAX_LENGTH != 100:  # pragma: no cover - fails at import
    raise ValueError("a title is as long as a name")


class CannedReplyCreate(RequestBody):
    """A new canned reply."""

    title: Title
    shortcut: Shortcut
    text: ReplyText
    group_id: BodyId | None = Field(default=None, description=_GROUP, examples=[None])


class CannedReplyPatch(MergePatch):
    """A JSON merge patch (RFC 7396): the fields that are present replace the stored values.

    At least one is required.
    """

    title: Title = Field(default="", json_schema_extra=without_default)
    shortcut: Shortcut = Field(default="", json_schema_extra=without_default)
    text: ReplyText = Field(default="", json_schema_extra=without_default)
    group_id: BodyId | None = Field(
        default=None, json_schema_extra=without_default, description=_GROUP, examples=[None]
    )


class CannedReply(BaseModel):
    """A text that agents insert into their replies."""

    id: int = Field(description="The id of the reply.", examples=[1])
    title: str = Field(description="The title.", examples=["Ask about water"])
    shortcut: str = Field(description="What agents type to find it.", examples=["water"])
    text: str = Field(description="The text, with its variables.", examples=[_TEXT])
    group_id: int | None = Field(description=_GROUP, examples=[None])
    version: int = Field(description="Starts at 1. Each change adds 1. Also sent as the `ETag`.", examples=[1])
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=[_TIME])
    updated_at: datetime = Field(description="The time of the last change, in UTC.", examples=[_TIME])


class CannedReplyPage(BaseModel):
    """A page of canned replies."""

    items: list[CannedReply] = Field(description="The replies, in the order of their shortcuts.")
    next_cursor: NextCursor


class CannedRepliesQuery(Paging):
    """The page of a list of canned replies, and a filter."""

    q: Annotated[str, StringConstraints(max_length=TITLE_MAX_LENGTH, pattern=r"^[^\x00]*$")] | None = Field(
        default=None,
        description="Replies whose shortcut begins with this text, or whose title contains it, whatever its case.",
        examples=["wat"],
    )


class RenderQuery(BaseModel):
    """The ticket for which the variables of a text are replaced."""

    model_config = {"extra": "forbid", "frozen": True}

    ticket_id: Annotated[int, Field(ge=1, le=ID_MAX), BeforeValidator(plain_number)] = Field(
        description="The id of the ticket.", examples=[1]
    )


class RenderedReply(BaseModel):
    """The text of a canned reply for a ticket."""

    text: str = Field(
        description="The text with the values of the variables.",
        examples=["Hello Alice Liddell, have you tried water? Bob"],
    )
    missing: list[str] = Field(
        description="The variables that have no value, in whose place nothing stands.", examples=[[]]
    )
