"""What happened to tickets by day, or by assignee, group or tag, from the numbers by hour."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from db.postgres.database import Database
from db.postgres.statements import Row
from models import NumberMetric, Scope
from schemas.ticket_numbers import (
    MAX_VALUES,
    ByQuery,
    DaysQuery,
    Durations,
    EventCount,
    NumbersByDay,
    NumbersByValue,
    NumbersOfDay,
    NumbersOfValue,
    WithinServiceLevel,
)
from services.access.principal import Principal
from services.numbers import read_statements as sql
from services.numbers.buckets import percentile
from services.numbers.milestones import NONE

_FILTERS: Final = {"person": "assignee", "group": "group", "tag": "tag"}

Buckets = Mapping[NumberMetric, Counter[int]]
Parameters = tuple[tuple[str, str], ...]


class NumbersOfThePast:
    """Reads the numbers by hour, for agents and admins.

    Every method raises Forbidden, InsufficientScope, SearchTimeout, DatabaseUnavailable and DeadlineExceeded.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def days(self, query: DaysQuery, principal: Principal) -> NumbersByDay:
        """Return what happened on each day."""
        _require(principal)
        async with self._database.searching() as connection:
            state = await connection.one(sql.STATE)
            since, until = _bounds(query.since, query.until, query.zone)
            rows = await connection.rows(sql.BY_DAY, since=since, until=until, zone=query.zone)
        found = _grouped(rows, "day")
        return NumbersByDay(
            zone=query.zone,
            complete=state.is_complete,
            days=[
                NumbersOfDay(day=day, **_numbers(found[day], *_bounds(day, day, query.zone)))
                for day in _days(query.since, query.until)
            ],
        )

    async def by(self, query: ByQuery, principal: Principal) -> NumbersByValue:
        """Return what happened to the tickets of each assignee, group or tag, those with the most tickets first."""
        _require(principal)
        since, until = _bounds(query.since, query.until, query.zone)
        async with self._database.searching() as connection:
            state = await connection.one(sql.STATE)
            rows = await connection.rows(sql.BY_VALUE, since=since, until=until, kind=query.facet)
        found = _grouped(rows, "value")
        ordered = sorted(found, key=lambda value: (-_size(found[value]), value))
        name = _FILTERS[query.facet]
        return NumbersByValue(
            facet=query.facet,
            complete=state.is_complete,
            values=[
                NumbersOfValue(
                    value=None if value == NONE and query.facet != "tag" else value,
                    **_numbers(found[value], since, until, ((name, value),)),
                )
                for value in ordered[:MAX_VALUES]
            ],
            truncated=len(ordered) > MAX_VALUES,
        )


def _grouped(rows: Iterable[Row], column: str) -> defaultdict[Any, Buckets]:
    """Return the numbers of durations by bucket, metric and the value of a column."""
    found: defaultdict[Hashable, defaultdict[NumberMetric, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    for row in rows:
        found[row[column]][NumberMetric(row.metric)][row.bucket] = row.count
    return found  # type: ignore[return-value] # an unknown value has no numbers


def _numbers(found: Buckets, since: datetime, until: datetime, facet: Parameters = ()) -> dict[str, Any]:
    """Return the members of NumbersOf."""
    created = _query(*facet, ("created_after", _text(since)), ("created_before", _text(until)), ("sort", "id"))
    ended = (("closed_after", _text(since)), ("closed_before", _text(until)))
    closed = _query(*facet, ("status", "closed"), *ended, ("sort", "updated_at"))
    met, missed = (found[metric].total() for metric in (NumberMetric.MET, NumberMetric.MISSED))
    return {
        "opened": EventCount(count=found[NumberMetric.OPENED].total(), query=created),
        "closed": EventCount(count=found[NumberMetric.CLOSED].total(), query=closed),
        "first_response": _durations(found[NumberMetric.ANSWERED], None),
        "time_to_close": _durations(found[NumberMetric.CLOSED], closed),
        "within_service_level": WithinServiceLevel(
            met=met,
            missed=missed,
            percent=round(100 * met / (met + missed), 1) if met + missed else None,
            query=closed,
        ),
    }


def _durations(buckets: Counter[int], query: str | None) -> Durations:
    return Durations(count=buckets.total(), p50_s=percentile(buckets, 0.5), p90_s=percentile(buckets, 0.9), query=query)


def _size(found: Buckets) -> int:
    return found[NumberMetric.OPENED].total() + found[NumberMetric.CLOSED].total()


def _days(since: date, until: date) -> Iterator[date]:
    for number in range((until - since).days + 1):
        yield since + timedelta(days=number)


def _bounds(since: date, until: date, zone: str) -> tuple[datetime, datetime]:
    """Return the beginning of the first day and the end of the last one, in UTC."""
    first, last = (datetime.combine(day, time(), ZoneInfo(zone)) for day in (since, until + timedelta(days=1)))
    return first.astimezone(UTC), last.astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _query(*parameters: tuple[str, str]) -> str:
    return urlencode(parameters, safe=":")


def _require(principal: Principal) -> None:
    principal.require_staff()
    principal.require(Scope.READ)
