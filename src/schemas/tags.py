"""Tags, in requests and in responses."""

from typing import Annotated, Final

from pydantic import BaseModel, Field

from schemas.documented import is_absent
from schemas.lists import Paging
from schemas.pages import NextCursor
from schemas.request_body import RequestBody
from schemas.working_fields import TAG_MAX_LENGTH, Tag

MAX_TAG_COUNT: Final = 1_000


class TagsQuery(Paging):
    """The page of the list of tags."""

    prefix: str = Field(
        default="",
        max_length=TAG_MAX_LENGTH,
        pattern=r"^[^\x00]*$",
        description="Tags that begin with this text.",
        examples=["pri"],
    )


class TagCount(BaseModel):
    """A tag, and how many tickets have it: `count`, or `more_than` if there are more."""

    tag: str = Field(description="The tag.", examples=["printer"])
    count: int | None = Field(
        default=None, exclude_if=is_absent, description="The number of tickets, up to 1,000.", examples=[12]
    )
    more_than: int | None = Field(
        default=None,
        exclude_if=is_absent,
        description="Present in place of `count` if more tickets have the tag.",
        examples=[MAX_TAG_COUNT],
    )


class TagPage(BaseModel):
    """A page of tags."""

    items: list[TagCount] = Field(description="The tags, in the order of their characters.")
    next_cursor: NextCursor


class TagRename(RequestBody):
    """The old and the new name of a tag."""

    old: Annotated[Tag, Field(alias="from", description="The tag that no ticket has afterwards.", examples=["pritner"])]
    new: Annotated[Tag, Field(alias="to", description="The tag that those tickets have then.", examples=["printer"])]


class TagRenamed(BaseModel):
    """What the renaming of a tag did."""

    renamed: int = Field(description="The number of tickets that were changed.", examples=[12])
    is_complete: bool = Field(
        description="False if the time limit of the request was too short for all tickets: send it again.",
        examples=[True],
    )
