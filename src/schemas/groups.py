"""Groups, in requests and in responses."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from models.principal import ID_MAX_LENGTH
from schemas.fields import Name
from schemas.numbers import whole_number
from schemas.pages import NextCursor
from schemas.request_body import MergePatch, RequestBody, without_default

MAX_MEMBERS: Final = 900
# Ten years.
MAX_AUTO_CLOSE_AFTER_S: Final = 315_360_000

PrincipalId = Annotated[str, StringConstraints(min_length=1, max_length=ID_MAX_LENGTH, pattern=r"^[^\x00]*$")]
Members = Annotated[list[PrincipalId], Field(max_length=MAX_MEMBERS)]
# The bounds precede the validator, so that they are part of the documented schema.
AutoCloseAfter = Annotated[int, Field(ge=0, le=MAX_AUTO_CLOSE_AFTER_S), BeforeValidator(whole_number)]

_MEMBERS: Final = "The ids of the members: active agents and admins, people or service accounts."
_AUTO_CLOSE_AFTER: Final = (
    "After how many seconds in the status `answered` the tickets of the group are closed. 0: never. Null: after the "
    "time that the service is configured with. A new time applies from the next reply or transition of a ticket on, "
    "and 0 at once."
)


class GroupCreate(RequestBody):
    """A new group."""

    name: Annotated[Name, Field(description="The name. No two groups have the same one, whatever its case.")]
    members: Members = Field(default=[], description=_MEMBERS, examples=[["person:1"]])
    auto_close_after: AutoCloseAfter | None = Field(default=None, description=_AUTO_CLOSE_AFTER, examples=[1_209_600])


class GroupPatch(MergePatch):
    """A JSON merge patch (RFC 7396): the fields that are present replace the stored values.

    At least one is required.
    """

    name: Annotated[Name, Field(description="The new name.")] = Field(default="", json_schema_extra=without_default)
    active: Annotated[bool, Field(strict=True)] = Field(
        default=True, json_schema_extra=without_default, description="False if the group takes no more tickets."
    )
    members: Members = Field(
        default=[], json_schema_extra=without_default, description=f"{_MEMBERS} Replaces all members.", examples=[[]]
    )
    auto_close_after: AutoCloseAfter | None = Field(
        default=None, json_schema_extra=without_default, description=_AUTO_CLOSE_AFTER, examples=[0]
    )


class GroupName(BaseModel):
    """A group by its id and its name."""

    id: int = Field(description="The id of the group.", examples=[1])
    name: str = Field(description="The name of the group.", examples=["Network"])


class Group(GroupName):
    """A group of agents."""

    active: bool = Field(description="False if the group takes no more tickets.", examples=[True])
    members: list[str] = Field(
        description="The ids of the members, sorted. Members that were deactivated later stay listed.",
        examples=[["key:crm", "person:1"]],
    )
    auto_close_after: int | None = Field(description=_AUTO_CLOSE_AFTER, examples=[1_209_600])
    version: int = Field(
        description="Starts at 1. Each change of the group or of its members adds 1. Also sent as the `ETag`.",
        examples=[1],
    )
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=["2026-03-02T12:31:07.120345Z"])
    updated_at: datetime = Field(
        description="The time of the last change, in UTC.", examples=["2026-03-02T12:31:07.120345Z"]
    )


class GroupPage(BaseModel):
    """A page of groups."""

    items: list[Group] = Field(description="The groups, in the order of their ids.")
    next_cursor: NextCursor
