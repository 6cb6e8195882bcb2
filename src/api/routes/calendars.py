"""Calendars of working hours."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response, status
from pydantic import BeforeValidator, Field

from api.dependencies import AllCalendars, Caller
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.headers import etag_of, location_of
from api.openapi import calendar_responses as docs
from api.openapi.request_bodies import PATCHES_CALENDAR, CalendarChange, NewCalendar
from api.openapi.responses import READS, WRITES, responses
from core.errors import AlreadyExists, InvalidReference, VersionMismatch
from core.service_level_errors import CalendarNotFound, InvalidCalendar, TooManyCalendars
from schemas.calendars import Calendar, CalendarList, Due, DueQuery, HolidayProposal, HolidayQuery, Worked, WorkedQuery
from schemas.fields import ID_MAX, plain_number

router = APIRouter(prefix="/calendars", tags=["calendars"], route_class=CheckedRoute)

_CalendarId = Annotated[
    int,
    Field(ge=1, le=ID_MAX),
    BeforeValidator(plain_number),
    Path(description="The id of the calendar.", examples=[1]),
]
_Due = Annotated[DueQuery, Query()]
_Span = Annotated[WorkedQuery, Query()]
_Year = Annotated[HolidayQuery, Query()]


@router.get("", responses=responses(READS, docs.CALENDARS))
async def list_calendars(calendars: AllCalendars, principal: Caller) -> CalendarList:
    """List the calendars.

    Returns all calendars in the order of their ids, without their exceptions: get a calendar for these.
    """
    return await calendars.all(principal)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(WRITES, docs.CALENDAR_CREATED, AlreadyExists, TooManyCalendars, InvalidCalendar),
)
async def create_calendar(new: NewCalendar, calendars: AllCalendars, principal: Caller, response: Response) -> Calendar:
    """Create a calendar.

    At most 100 calendars exist. A calendar is never deleted.
    """
    calendar = await calendars.create(new, principal)
    response.headers.update(etag_of(calendar.version) | location_of("/calendars", calendar.id))
    return calendar


@router.get("/{calendar_id}", responses=responses(READS, docs.CALENDAR, CalendarNotFound))
async def get_calendar(
    calendar_id: _CalendarId, calendars: AllCalendars, principal: Caller, response: Response
) -> Calendar:
    """Get a calendar.

    Returns the calendar with its weekly hours and its exceptions.
    """
    calendar = await calendars.find(calendar_id, principal)
    response.headers.update(etag_of(calendar.version))
    return calendar


@router.patch(
    "/{calendar_id}",
    responses=responses(
        WRITES, docs.CALENDAR_CHANGED, CalendarNotFound, AlreadyExists, VersionMismatch, InvalidCalendar
    ),
    openapi_extra=PATCHES_CALENDAR,
)
async def change_calendar(
    calendar_id: _CalendarId,
    patch: CalendarChange,
    expected: ExpectedVersions,
    calendars: AllCalendars,
    principal: Caller,
    response: Response,
) -> Calendar:
    """Change a calendar.

    The body is a merge patch (RFC 7396), also of the days in `weekly` and of the dates in `exceptions`: those that are
    absent stay as they are. A change takes effect in all processes within 2 s.
    """
    calendar = await calendars.change(calendar_id, patch, principal, expected=expected)
    response.headers.update(etag_of(calendar.version))
    return calendar


@router.get("/{calendar_id}/due", responses=responses(READS, docs.DUE, CalendarNotFound, InvalidReference))
async def get_due(calendar_id: _CalendarId, query: _Due, calendars: AllCalendars, principal: Caller) -> Due:
    """Get the end of a budget of working time.

    Returns the time at which so many working seconds have passed. A day on which the clocks change has an hour more or
    less. The request is refused if the calendar has less working time in the next ten years.
    """
    return await calendars.due(calendar_id, query, principal)


@router.get("/{calendar_id}/worked", responses=responses(READS, docs.WORKED, CalendarNotFound))
async def get_worked(calendar_id: _CalendarId, query: _Span, calendars: AllCalendars, principal: Caller) -> Worked:
    """Get the working time of a span.

    Returns the number of working seconds between two times, by the hours that the calendar has now.
    """
    return await calendars.worked(calendar_id, query, principal)


@router.get("/{calendar_id}/holidays", responses=responses(READS, docs.HOLIDAYS, CalendarNotFound, InvalidReference))
async def propose_holidays(
    calendar_id: _CalendarId, query: _Year, calendars: AllCalendars, principal: Caller
) -> HolidayProposal:
    """Propose public holidays.

    Returns the public holidays of a country for which the calendar has no exceptions. Nothing is changed: check the
    dates, remove those on which you work, and send `exceptions` in a `PATCH` of the calendar. The names are in the
    language of the country.
    """
    return await calendars.holidays(calendar_id, query, principal)
