"""Saved views: each agent has views of their own, and all agents have the shared ones."""

import asyncio
from collections.abc import Set
from typing import Final

from core.desk_errors import TooManyViews, ViewNotFound
from core.errors import Fault, InvalidFields, SearchTimeout, VersionMismatch
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row, Statement
from models import Scope
from schemas.ticket_queries import parsed_query
from schemas.views import MAX_VIEW_COUNT, SavedView, ViewCount, ViewCounts, ViewCreate, ViewList, ViewPatch
from services.access.principal import Principal
from services.tickets.counts import MAX_TIME_S, TicketCounter
from services.views import statements as sql

MAX_VIEWS: Final = 50


class Views:
    """Reads and writes views.

    Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and DeadlineExceeded; those that write also
    raise OutcomeUnknown.
    """

    def __init__(self, database: Database, counter: TicketCounter) -> None:
        self._database = database
        self._counter = counter

    async def all(self, principal: Principal) -> ViewList:
        """Return the shared views and those of the caller, in their order."""
        _require_reader(principal)
        async with self._database.reading() as connection:
            return ViewList(items=[_view_of(row) for row in await connection.rows(sql.ALL, owner_id=principal.id)])

    async def find(self, view_id: int, principal: Principal) -> SavedView:
        """Return a view. Raises ViewNotFound."""
        _require_reader(principal)
        async with self._database.reading() as connection:
            return await _found(connection, sql.FIND, view_id, principal)

    async def counts(self, principal: Principal) -> ViewCounts:
        """Return the numbers of tickets in the views of the caller, each exact up to 99.

        A view whose tickets can not be counted in time has no number; there are two seconds for all views together.
        """
        views = (await self.all(principal)).items
        ends_at = asyncio.get_running_loop().time() + MAX_TIME_S
        return ViewCounts(items=[await self._count(view, principal, ends_at) for view in views])

    async def create(self, new: ViewCreate, principal: Principal) -> SavedView:
        """Create a view. Raises InvalidFields, TooManyViews."""
        _require_writer(principal)
        await self._ensure_known(new.query, principal)
        owner_id = None if new.shared else principal.id
        async with self._database.transaction() as connection:
            await connection.run(sql.LOCK)
            existing = await connection.one(sql.COUNT, owner_id=owner_id)
            if existing.views >= MAX_VIEWS:
                raise TooManyViews
            position = existing.next_position if new.position is None else new.position
            row = await connection.one(sql.CREATE, owner_id=owner_id, name=new.name, query=new.query, position=position)
        return _view_of(row)

    async def change(
        self, view_id: int, patch: ViewPatch, principal: Principal, *, expected: Set[int] | None = None
    ) -> SavedView:
        """Change a view; without any difference makes no version.

        Raises ViewNotFound, VersionMismatch, InvalidFields.
        """
        if "query" in patch.model_fields_set:
            await self._ensure_known(patch.query, principal)
        changes = {name: getattr(patch, name) for name in patch.model_fields_set}
        async with self._database.transaction() as connection:
            view = await _locked(connection, view_id, principal, expected)
            present = {name: getattr(view, name) for name in sql.SETTINGS}
            if present | changes == present:
                return view
            return _view_of(await connection.one(sql.SAVE, id=view_id, **(present | changes)))

    async def delete(self, view_id: int, principal: Principal, *, expected: Set[int] | None = None) -> SavedView:
        """Delete a view, and return it as it was. Raises ViewNotFound, VersionMismatch."""
        async with self._database.transaction() as connection:
            view = await _locked(connection, view_id, principal, expected)
            await connection.run(sql.DELETE, id=view_id)
        return view

    async def _ensure_known(self, query: str, principal: Principal) -> None:
        """Raise InvalidFields if the query names custom fields that do not exist."""
        try:
            await self._counter.filters(parsed_query(query), principal)
        except InvalidFields as error:
            raise InvalidFields(*(Fault(fault.detail, "body", "query") for fault in error.faults)) from None

    async def _count(self, view: SavedView, principal: Principal, ends_at: float) -> ViewCount:
        if asyncio.get_running_loop().time() > ends_at:
            return ViewCount(view_id=view.id)
        try:
            count = await self._counter.matching(parsed_query(view.query), principal, most=MAX_VIEW_COUNT)
        except (SearchTimeout, InvalidFields):  # a custom field may have been archived since
            return ViewCount(view_id=view.id)
        if count > MAX_VIEW_COUNT:
            return ViewCount(view_id=view.id, more_than=MAX_VIEW_COUNT)
        return ViewCount(view_id=view.id, count=count)


async def _locked(connection: Session, view_id: int, principal: Principal, expected: Set[int] | None) -> SavedView:
    _require_writer(principal)
    view = await _found(connection, sql.LOCKED, view_id, principal)
    if expected is not None and view.version not in expected:
        raise VersionMismatch(view.version)
    return view


async def _found(connection: Session, statement: Statement, view_id: int, principal: Principal) -> SavedView:
    row = await connection.one_or_none(statement, id=view_id, owner_id=principal.id)
    if row is None:
        raise ViewNotFound
    return _view_of(row)


def _view_of(row: Row) -> SavedView:
    return SavedView.model_validate(dict(row))


def _require_reader(principal: Principal) -> None:
    principal.require_staff()
    principal.require(Scope.READ)


def _require_writer(principal: Principal) -> None:
    principal.require_staff()
    principal.require(Scope.WRITE)
