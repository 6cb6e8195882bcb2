"""Numbers of tickets: now, by day, and by person, group or tag. Each has the query of the list behind it."""

import re
from datetime import date, datetime
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from models import TicketStatus
from schemas.counts import MAX_COUNT
from schemas.documented import is_absent
from schemas.people import Zone

MAX_DAYS: Final = 92
MAX_DAYS_BY: Final = 31
MAX_VALUES: Final = 100
UNTIL_BEFORE_SINCE: Final = "must not be before since"
TOO_MANY_DAYS: Final = "must be at most {days} days after since"
_WRITTEN: Final = re.compile("2[01][0-9]{2}-[0-9]{2}-[0-9]{2}")
_DAY: Final = "2026-03-02"
_TIME: Final = "2026-03-02T12:31:07.120345Z"
_QUERY: Final = "status=open&created_before=2026-03-01T12:31:07Z"
_OF_LIST: Final = "The query of `GET /tickets` that lists these tickets."


def _day(value: object) -> object:
    """Refuse other spellings of a day that pydantic reads, and years for which a time zone has no UTC."""
    if isinstance(value, str) and not _WRITTEN.fullmatch(value):
        raise PydanticCustomError("day", "must be a day such as 2026-03-02, of the years 2000 to 2199")
    return value


Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": f"^{_WRITTEN.pattern}$", "examples": [_DAY]}),
]


class Count(BaseModel):
    """A number of tickets: `count`, `more_than`, or neither if they could not be counted in time."""

    count: int | None = Field(
        default=None, exclude_if=is_absent, description="The number, up to 10,000.", examples=[12]
    )
    more_than: int | None = Field(
        default=None,
        exclude_if=is_absent,
        description="Present in place of `count` if there are more.",
        examples=[MAX_COUNT],
    )
    query: str = Field(description=_OF_LIST, examples=[_QUERY])


class AgeCount(Count):
    """The number of tickets of an age."""

    min_age_s: int = Field(description="The youngest age, in seconds since the creation.", examples=[86_400])
    max_age_s: int | None = Field(
        description="All of them are younger than this, in seconds; null: of any age.", examples=[259_200]
    )


class StatusAges(BaseModel):
    """The numbers of the tickets of a status that wait for an answer, by age."""

    status: TicketStatus = Field(description="The status.", examples=["open"])
    ages: list[AgeCount] = Field(description="The numbers, the youngest tickets first.")


class OldestTicket(BaseModel):
    """The ticket of a status that was created first."""

    status: TicketStatus = Field(description="The status.", examples=["open"])
    ticket_id: int = Field(description="The id of the ticket.", examples=[1])
    created_at: datetime = Field(description="When it was created, in UTC.", examples=[_TIME])
    query: str = Field(description=_OF_LIST, examples=["status=open&sort=created_at"])


class NumbersNow(BaseModel):
    """What waits now, and what will go wrong next."""

    at: datetime = Field(description="The time of the numbers, in UTC.", examples=[_TIME])
    waiting: list[StatusAges] = Field(description="The tickets that wait for an answer of agents, by status and age.")
    unassigned: Count = Field(description="Those of them without an assignee.")
    oldest: list[OldestTicket] = Field(description="The oldest of them, by status.")
    at_risk: Count = Field(description="Those of them with a clock of service levels at 80 % of its budget.")
    breached: Count = Field(description="Those of them with a clock that was breached.")
    due_in_an_hour: Count = Field(description="Those of them with a clock that is due within an hour.")


class EventCount(BaseModel):
    """The number of tickets to which something happened."""

    count: int = Field(description="The number.", examples=[12])
    query: str = Field(description=_OF_LIST, examples=[_QUERY])


class Durations(BaseModel):
    """Durations since the creation of tickets, in seconds of the calendar; each within 4.5 % of the exact one."""

    count: int = Field(description="The number of tickets.", examples=[12])
    p50_s: float | None = Field(description="The median; null without tickets.", examples=[3444.3])
    p90_s: float | None = Field(
        description="The duration that nine of ten tickets do not exceed; null without tickets.", examples=[10332.8]
    )
    query: str | None = Field(description=f"{_OF_LIST} Null: no query lists them.", examples=[None])


class WithinServiceLevel(BaseModel):
    """Closed tickets under a policy of service levels."""

    met: int = Field(description="Closed without a breach.", examples=[11])
    missed: int = Field(description="Closed after a clock was breached.", examples=[1])
    percent: float | None = Field(description="The percentage of `met`; null without tickets.", examples=[91.7])
    query: str = Field(description=_OF_LIST, examples=[_QUERY])


class NumbersOf(BaseModel):
    """What happened to tickets."""

    opened: EventCount = Field(description="The tickets that were created.")
    closed: EventCount = Field(description="The tickets that were closed.")
    first_response: Durations = Field(
        description="From the creation to the first transition to `answered`, of tickets that were answered first then."
    )
    time_to_close: Durations = Field(description="From the creation to the end, of tickets that were closed.")
    within_service_level: WithinServiceLevel = Field(description="The tickets that were closed under a policy.")


class NumbersOfDay(NumbersOf):
    """What happened to tickets on a day."""

    day: date = Field(description="The day in the time zone of the request.", examples=[_DAY])


class NumbersByDay(BaseModel):
    """What happened to tickets, by day."""

    zone: str = Field(description="The time zone of the days.", examples=["Europe/Berlin"])
    complete: bool = Field(
        description="False while the numbers of earlier events are still computed, after the first start.",
        examples=[True],
    )
    days: list[NumbersOfDay] = Field(description="The days in their order, those without events included.")


NumbersFacet = Literal["person", "group", "tag"]


class NumbersOfValue(NumbersOf):
    """What happened to the tickets of an assignee, a group or a tag."""

    value: str | None = Field(
        description="The id of the assignee or group that the ticket had then, or a tag. Null: none.",
        examples=["person:17"],
    )


class NumbersByValue(BaseModel):
    """What happened to tickets, by assignee, group or tag."""

    facet: NumbersFacet = Field(description="What the numbers are by.", examples=["person"])
    complete: bool = Field(description="As of `GET /numbers/days`.", examples=[True])
    values: list[NumbersOfValue] = Field(description="The values with the most tickets, at most 100.")
    truncated: bool = Field(description="True if there are more values.", examples=[False])


class DaysQuery(BaseModel):
    """The days of the numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Day = Field(description="The first day.", examples=[_DAY])
    until: Day = Field(description="The last day, at most 91 days after the first.", examples=[_DAY])
    zone: Zone = Field(
        default="UTC",
        description="The time zone of the days, by its name in the IANA database. Numbers are kept by the hour of "
        "UTC: of a zone whose offset is no whole hour, an hour belongs to the day in which it begins.",
        examples=["Europe/Berlin"],
    )

    @model_validator(mode="after")
    def _limit_days(self) -> Self:
        return self._limited_to(MAX_DAYS)

    def _limited_to(self, days: int) -> Self:
        if self.until < self.since:
            raise PydanticCustomError("until_before_since", UNTIL_BEFORE_SINCE, {"member": "until"})
        if (self.until - self.since).days >= days:
            raise PydanticCustomError("too_many_days", TOO_MANY_DAYS, {"member": "until", "days": days - 1})
        return self


class ByQuery(DaysQuery):
    """The days of the numbers, and what they are by."""

    facet: NumbersFacet = Field(description="What the numbers are by.", examples=["person"])
    until: Day = Field(description="The last day, at most 30 days after the first.", examples=[_DAY])

    @model_validator(mode="after")
    def _limit_days_by(self) -> Self:
        return self._limited_to(MAX_DAYS_BY)
