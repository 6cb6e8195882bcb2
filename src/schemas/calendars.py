"""Calendars of working hours, in requests and in responses."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from models.calendar import MAX_SPAN_DAYS, WEEKDAYS
from schemas.fields import Name, plain_number
from schemas.lists import Timestamp
from schemas.people import Zone
from schemas.request_body import MergePatch, RequestBody, without_default

MAX_INTERVALS: Final = 10
MAX_EXCEPTIONS: Final = 1_000

_END_OF_DAY: Final = "24:00"
_TIME_PATTERN: Final = f"^(([01][0-9]|2[0-3]):[0-5][0-9]|{_END_OF_DAY})$"
_DATE_PATTERN: Final = "^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
_MORNING: Final = "2026-03-02T09:00:00Z"
_TIME: Final = "2026-03-02T12:31:07.120345Z"

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKLY_EXAMPLE: Final = {"mon": [["09:00", "12:00"], ["13:00", "17:30"]], "fri": [["22:00", "06:00"]]}
_WHOLE_WEEK_EXAMPLE: Final = {day: _WEEKLY_EXAMPLE.get(day, []) for day in WEEKDAYS}
_EXCEPTIONS_EXAMPLE: Final = {"2026-12-24": [["09:00", "12:00"]], "2026-12-25": []}

_HOURS: Final[dict[str, Any]] = {
    "type": "array",
    "maxItems": MAX_INTERVALS,
    "items": {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "items": {"type": "string", "pattern": _TIME_PATTERN},
    },
}
_HOURS_OR_NULL: Final = {"anyOf": [_HOURS, {"type": "null"}]}

_NAME: Final = "The name. No two calendars have the same one, whatever its case."
_ZONE: Final = "The time zone of the hours, by its name in the IANA database."
_WEEKLY: Final = (
    "The hours of each weekday: intervals of two local times, `HH:MM`. The second one is the end, at most `24:00`, and "
    "on the next day if it is not later than the first. At least one weekday has an interval, and no two intervals "
    "overlap, also over midnight."
)
_EXCEPTIONS: Final = (
    "The hours of single dates, by `YYYY-MM-DD`, in place of the intervals of the weekday that begin on this date. A "
    f"holiday has an empty list. A calendar has at most {MAX_EXCEPTIONS:,} exceptions."
)


def _by_weekday(hours: dict[str, Any]) -> WithJsonSchema:
    names = {"type": "string", "enum": list(WEEKDAYS)}
    return WithJsonSchema({"type": "object", "propertyNames": names, "additionalProperties": hours})


def _by_date(hours: dict[str, Any]) -> WithJsonSchema:
    names = {"type": "string", "pattern": _DATE_PATTERN}
    return WithJsonSchema({"type": "object", "propertyNames": names, "additionalProperties": hours})


def _whole_week() -> WithJsonSchema:
    days = dict.fromkeys(WEEKDAYS, _HOURS)
    return WithJsonSchema({"type": "object", "properties": days, "required": list(WEEKDAYS)})


def _interval(ends: list[str]) -> list[str]:
    opens, closes = ends
    if opens == _END_OF_DAY:
        raise PydanticCustomError("interval", "must begin before 24:00")
    if opens == closes:
        raise PydanticCustomError("interval", "must not end when it begins: a whole day is from 00:00 to 24:00")
    return ends


def _existing_date(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("date", "must be a date that exists") from None
    return text


TimeOfDay = Annotated[str, StringConstraints(pattern=_TIME_PATTERN)]
Interval = Annotated[list[TimeOfDay], Field(min_length=2, max_length=2), AfterValidator(_interval)]
Hours = Annotated[list[Interval], Field(max_length=MAX_INTERVALS)]
Date = Annotated[str, StringConstraints(pattern=_DATE_PATTERN), AfterValidator(_existing_date)]
WeeklyHours = Annotated[dict[Weekday, Hours], _by_weekday(_HOURS)]
WeeklyChanges = Annotated[dict[Weekday, Hours | None], _by_weekday(_HOURS_OR_NULL)]
Exceptions = Annotated[dict[Date, Hours], _by_date(_HOURS)]
ExceptionChanges = Annotated[dict[Date, Hours | None], _by_date(_HOURS_OR_NULL)]
Year = Annotated[int, Field(ge=1970, le=2100), BeforeValidator(plain_number)]


class CalendarCreate(RequestBody):
    """A new calendar."""

    name: Annotated[Name, Field(description=_NAME)]
    zone: Zone = Field(description=_ZONE, examples=["Europe/Berlin"])
    weekly: WeeklyHours = Field(description=f"{_WEEKLY} A day that is absent has no hours.", examples=[_WEEKLY_EXAMPLE])
    exceptions: Exceptions = Field(default={}, description=_EXCEPTIONS, examples=[_EXCEPTIONS_EXAMPLE])


class CalendarPatch(MergePatch):
    """A JSON merge patch (RFC 7396): the fields that are present replace the stored values.

    At least one is required.
    """

    name: Annotated[Name, Field(description=_NAME)] = Field(default="", json_schema_extra=without_default)
    zone: Zone = Field(default="", json_schema_extra=without_default, description=_ZONE, examples=["Europe/Berlin"])
    weekly: WeeklyChanges = Field(
        default={},
        json_schema_extra=without_default,
        description=f"{_WEEKLY} The days that are present replace the stored ones; null removes the hours of a day.",
        examples=[{"fri": [["09:00", "15:00"]], "sat": None}],
    )
    exceptions: ExceptionChanges = Field(
        default={},
        json_schema_extra=without_default,
        description=f"{_EXCEPTIONS} The dates that are present replace the stored ones; null removes an exception.",
        examples=[{"2026-12-31": [], "2026-12-24": None}],
    )


class ListedCalendar(BaseModel):
    """A calendar of working hours, without its exceptions."""

    model_config = ConfigDict(frozen=True)

    id: int = Field(description="The id of the calendar.", examples=[1])
    name: str = Field(description="The name.", examples=["Support"])
    zone: str = Field(description=_ZONE, examples=["Europe/Berlin"])
    weekly: Annotated[dict[str, list[list[str]]], _whole_week()] = Field(
        description=_WEEKLY, examples=[_WHOLE_WEEK_EXAMPLE]
    )
    version: int = Field(
        description="Starts at 1. Each change of the calendar adds 1. Also sent as the `ETag`.", examples=[1]
    )
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=[_TIME])
    updated_at: datetime = Field(description="The time of the last change, in UTC.", examples=[_TIME])


class Calendar(ListedCalendar):
    """A calendar of working hours."""

    exceptions: Annotated[dict[str, list[list[str]]], _by_date(_HOURS)] = Field(
        description=f"{_EXCEPTIONS} In the order of their dates.", examples=[_EXCEPTIONS_EXAMPLE]
    )


class CalendarList(BaseModel):
    """All calendars."""

    items: list[ListedCalendar] = Field(description="The calendars, in the order of their ids.")


class DueQuery(BaseModel):
    """A budget of working time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_: Timestamp = Field(alias="from", description="The time at which the count begins.", examples=[_MORNING])
    seconds: Annotated[int, Field(ge=1, le=MAX_SPAN_DAYS * 86_400), BeforeValidator(plain_number)] = Field(
        description="The number of working seconds.", examples=[14400]
    )


class Due(BaseModel):
    """The end of a budget of working time."""

    due_at: datetime = Field(
        description="The first time at which the working seconds have passed, in UTC.",
        examples=["2026-03-02T14:00:00Z"],
    )


class WorkedQuery(BaseModel):
    """A span of time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_: Timestamp = Field(alias="from", description="The beginning of the span.", examples=[_MORNING])
    until: Timestamp = Field(
        description="The end of the span, at most ten years (3,660 days) after its beginning.",
        examples=["2026-03-03T09:00:00Z"],
    )

    @model_validator(mode="after")
    def _require_a_span(self) -> Self:
        if self.until < self.from_:
            raise PydanticCustomError("span", "must not be earlier than from", {"member": "until"})
        if self.until - self.from_ > timedelta(days=MAX_SPAN_DAYS):
            raise PydanticCustomError("span", "must be at most 3,660 days after from", {"member": "until"})
        return self


class Worked(BaseModel):
    """The working time of a span."""

    seconds: int = Field(description="The number of whole working seconds in the span.", examples=[23400])


class HolidayQuery(BaseModel):
    """The public holidays of a year."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    country: str = Field(
        pattern="^[A-Z]{2}$", description="The country, by its code of two letters (ISO 3166-1).", examples=["DE"]
    )
    subdivision: str | None = Field(
        default=None,
        pattern="^[A-Z0-9]{1,3}$",
        description="The state or region, by the part of its code (ISO 3166-2) behind the hyphen. Without it, the "
        "holidays of the whole country.",
        examples=["BY"],
    )
    year: Year = Field(description="The year.", examples=[2026])


class HolidayProposal(BaseModel):
    """Public holidays that a calendar has no exceptions for, in the form that a change of the calendar takes."""

    exceptions: Annotated[dict[str, list[list[str]]], _by_date(_HOURS)] = Field(
        description="The dates of the holidays, each without hours.", examples=[{"2026-12-25": []}]
    )
    names: dict[str, str] = Field(
        description="The names of the holidays, by their dates.", examples=[{"2026-12-25": "Erster Weihnachtstag"}]
    )
