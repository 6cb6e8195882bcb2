"""What waits now: each number is exact up to 10,000, so that its cost is bounded, and has the query behind it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from core.errors import SearchTimeout
from db.postgres.database import Database
from models import Scope, SlaState, TicketStatus
from schemas.counts import MAX_COUNT
from schemas.ticket_numbers import AgeCount, Count, NumbersNow, OldestTicket, StatusAges
from schemas.ticket_queries import parsed_query
from services.access.principal import Principal
from services.numbers import read_statements as sql
from services.tickets.counts import TicketCounter

HOUR_S: Final = 3_600
DAY_S: Final = 24 * HOUR_S
AGES_S: Final = (0, HOUR_S, 4 * HOUR_S, DAY_S, 3 * DAY_S, 7 * DAY_S)
"""The limits of the ages, in seconds."""
WAITING: Final = (TicketStatus.OPEN, TicketStatus.AWAITING_REPLY)
"""The statuses in which agents owe an answer."""


class NumbersOfNow:
    """Counts what waits, for agents and admins.

    Its method raises Forbidden, InsufficientScope, DatabaseUnavailable and DeadlineExceeded.
    """

    def __init__(self, database: Database, counter: TicketCounter) -> None:
        self._database = database
        self._counter = counter

    async def now(self, principal: Principal) -> NumbersNow:
        """Return the numbers; one that can not be counted in time is absent."""
        principal.require_staff()
        principal.require(Scope.READ)
        async with self._database.reading() as connection:
            now: datetime = (await connection.one(sql.STATE)).now
        return NumbersNow(
            at=now,
            waiting=[StatusAges(status=status, ages=await self._ages(status, now)) for status in WAITING],
            unassigned=await self._count(principal, assignee="none"),
            oldest=[found for status in WAITING if (found := await self._oldest(status)) is not None],
            at_risk=await self._count(principal, sla=SlaState.AT_RISK),
            breached=await self._count(principal, sla=SlaState.BREACHED),
            due_in_an_hour=await self._count(principal, due_before=_text(now + timedelta(seconds=HOUR_S))),
        )

    async def _ages(self, status: TicketStatus, now: datetime) -> list[AgeCount]:
        """Return the numbers of the tickets of a status by age, the youngest first."""
        counts = []
        for min_age_s, max_age_s in zip(AGES_S, (*AGES_S[1:], None), strict=True):
            after = None if max_age_s is None else now - timedelta(seconds=max_age_s)
            before = None if min_age_s == 0 else now - timedelta(seconds=min_age_s)
            bounds = {"created_after": after, "created_before": before}
            times = {name: _text(bound) for name, bound in bounds.items() if bound is not None}
            number = await self._aged(status, after, before)
            query = urlencode({"status": status, **times}, safe=":")
            counts.append(AgeCount(min_age_s=min_age_s, max_age_s=max_age_s, query=query, **_limited(number)))
        return counts

    async def _aged(self, status: TicketStatus, after: datetime | None, before: datetime | None) -> int | None:
        try:
            async with self._database.searching() as connection:
                number: int = await connection.value(
                    sql.AGED, status=status, after=after, before=before, limit=MAX_COUNT + 1
                )
        except SearchTimeout:
            return None
        return number

    async def _oldest(self, status: TicketStatus) -> OldestTicket | None:
        async with self._database.reading() as connection:
            row = await connection.one_or_none(sql.OLDEST, status=status)
        if row is None:
            return None
        query = urlencode({"status": status, "sort": "created_at"})
        return OldestTicket(status=status, ticket_id=row.id, created_at=row.created_at, query=query)

    async def _count(self, principal: Principal, **filters: str) -> Count:
        """Return the number of the tickets that wait and match the filters."""
        query = urlencode([*(("status", status) for status in WAITING), *filters.items()], safe=":")
        try:
            number = await self._counter.matching(parsed_query(query), principal)
        except SearchTimeout:
            return Count(query=query)
        return Count(query=query, **_limited(number))


def _limited(number: int | None) -> Mapping[str, Any]:
    if number is None:
        return {}
    return {"more_than": MAX_COUNT} if number > MAX_COUNT else {"count": number}


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
