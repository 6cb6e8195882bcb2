"""Numbers of tickets, each with the query of the list behind it."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import Caller, Now, Past
from api.http.checked_route import CheckedRoute
from api.openapi import desk_responses as docs
from api.openapi.responses import READS, responses
from core.errors import SearchTimeout
from schemas.ticket_numbers import ByQuery, DaysQuery, NumbersByDay, NumbersByValue, NumbersNow

router = APIRouter(prefix="/numbers", tags=["numbers"], route_class=CheckedRoute)


@router.get("/now", responses=responses(READS, docs.NUMBERS_NOW))
async def get_numbers_now(numbers: Now, principal: Caller) -> NumbersNow:
    """Get the numbers of now.

    Returns what waits for agents, by age, and what is at risk. Each number is exact up to 10,000.
    """
    return await numbers.now(principal)


@router.get("/days", responses=responses(READS, docs.NUMBERS_BY_DAY, SearchTimeout))
async def get_numbers_by_day(query: Annotated[DaysQuery, Query()], numbers: Past, principal: Caller) -> NumbersByDay:
    """Get numbers by day.

    Returns what happened on each day, computed from the events within a few seconds. Durations are in time of the
    calendar, not of working hours.
    """
    return await numbers.days(query, principal)


@router.get("/by", responses=responses(READS, docs.NUMBERS_BY_VALUE, SearchTimeout))
async def get_numbers_by_value(query: Annotated[ByQuery, Query()], numbers: Past, principal: Caller) -> NumbersByValue:
    """Get numbers by person, group or tag.

    Returns what happened to the tickets of each assignee, group or tag that they had when it happened.
    """
    return await numbers.by(query, principal)
