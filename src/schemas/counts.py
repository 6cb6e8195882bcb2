"""The numbers of tickets by a field."""

from typing import Final, Literal

from pydantic import BaseModel, Field

from schemas.documented import is_absent
from schemas.lists import TicketFilters

MAX_COUNT: Final = 10_000
MAX_VALUES: Final = 100

CountBy = Literal["status", "assignee", "group", "priority", "tag"]


class CountsQuery(TicketFilters):
    """The field whose values are counted, and the filters of the tickets."""

    by: CountBy = Field(description="The field whose values are counted.", examples=["status"])


class TicketCount(BaseModel):
    """The number of tickets with a value: `count`, or `more_than` if there are more."""

    value: str | int | None = Field(
        description="The value: a status, a priority, a tag, or the id of an assignee or of a group. Null: none.",
        examples=["open"],
    )
    count: int | None = Field(
        default=None, exclude_if=is_absent, description="The number of tickets, up to 10,000.", examples=[12]
    )
    more_than: int | None = Field(
        default=None,
        exclude_if=is_absent,
        description="Present in place of `count` if there are more than this.",
        examples=[MAX_COUNT],
    )


class TicketCounts(BaseModel):
    """The numbers of tickets by the values of a field."""

    by: CountBy = Field(description="The field.", examples=["status"])
    counts: list[TicketCount] = Field(description="The numbers, by value. Values without tickets are left out.")
    truncated: bool = Field(
        description=f"True if the field has more than {MAX_VALUES} values, of which only the first ones were counted.",
        examples=[False],
    )
