"""Saved views, in requests and in responses."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, Field

from schemas.documented import is_absent
from schemas.fields import Name
from schemas.numbers import whole_number
from schemas.request_body import MergePatch, RequestBody, without_default
from schemas.ticket_queries import QueryText

MAX_POSITION: Final = 1_000_000
MAX_VIEW_COUNT: Final = 99
_TIME: Final = "2026-03-02T12:31:07.120345Z"
_NAME: Final = "The name."
_POSITION: Final = "The place in the list; of one place, the order of the ids."
_SHARED: Final = "True: a view of all agents, any of whom may change it. False: a view of the caller alone."

_Position = Annotated[int, Field(ge=0, le=MAX_POSITION), BeforeValidator(whole_number)]


class ViewCreate(RequestBody):
    """A new view."""

    name: Annotated[Name, Field(description=_NAME, examples=["My queue"])]
    query: QueryText
    shared: Annotated[bool, Field(strict=True)] = Field(default=False, description=_SHARED, examples=[False])
    position: _Position | None = Field(default=None, description=f"{_POSITION} Null: the last one.", examples=[1])


class ViewPatch(MergePatch):
    """A JSON merge patch (RFC 7396): the fields that are present replace the stored values.

    At least one is required.
    """

    name: Annotated[Name, Field(description=_NAME)] = Field(default="", json_schema_extra=without_default)
    query: QueryText = Field(default="", json_schema_extra=without_default)
    position: _Position = Field(default=0, json_schema_extra=without_default, description=_POSITION, examples=[2])


class SavedView(BaseModel):
    """A name for a query of `GET /tickets`."""

    id: int = Field(description="The id of the view.", examples=[1])
    name: str = Field(description=_NAME, examples=["My queue"])
    query: str = Field(description="The query of `GET /tickets`.", examples=["status=open&assignee=me"])
    shared: bool = Field(description=_SHARED, examples=[False])
    position: int = Field(description=_POSITION, examples=[1])
    version: int = Field(description="Starts at 1. Each change adds 1. Also sent as the `ETag`.", examples=[1])
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=[_TIME])
    updated_at: datetime = Field(description="The time of the last change, in UTC.", examples=[_TIME])


class ViewList(BaseModel):
    """All views of the caller."""

    items: list[SavedView] = Field(description="The shared views and those of the caller, in their order.")


class ViewCount(BaseModel):
    """The number of tickets in a view: `count`, `more_than`, or neither if it could not be counted in time."""

    view_id: int = Field(description="The id of the view.", examples=[1])
    count: int | None = Field(
        default=None, exclude_if=is_absent, description="The number of tickets, up to 99.", examples=[12]
    )
    more_than: int | None = Field(
        default=None, exclude_if=is_absent, description="Present in place of `count` if there are more.", examples=[99]
    )


class ViewCounts(BaseModel):
    """The numbers of tickets in all views of the caller."""

    items: list[ViewCount] = Field(description="The numbers, in the order of the views.")
