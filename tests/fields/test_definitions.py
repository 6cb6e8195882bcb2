"""The definitions in memory: one query for all requests, and none for two seconds."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import pytest

from core import deadline
from core.errors import DatabaseUnavailable, DeadlineExceeded
from db.postgres.database import Database
from fields.conftest import definition
from models import FieldType
from services import definitions as module
from services.fields.definitions import FieldDefinitions


class Rows:
    """Stands for a database that responds when it is told to: counts the queries."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.queries = 0
        self.failure: Exception | None = None
        self.may_respond = asyncio.Event()
        self.may_respond.set()

    @asynccontextmanager
    async def control(self) -> AsyncIterator["Rows"]:
        yield self

    async def rows(self, _statement: object) -> list[Any]:
        self.queries += 1
        found = [Row(key) for key in self.keys]  # as of the beginning of the query
        await self.may_respond.wait()
        if self.failure is not None:
            raise self.failure
        return found


class Row(dict[str, Any]):
    """A row of the table of fields."""

    def __init__(self, key: str) -> None:
        super().__init__(definition(key, FieldType.TEXT).model_dump())
        self.key = key


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def definitions(rows: Rows) -> FieldDefinitions:
    return FieldDefinitions(cast("Database", rows))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    token = deadline.begin(seconds)
    try:
        yield
    finally:
        deadline.end(token)


async def test_requests_that_arrive_together_share_one_query(definitions: FieldDefinitions, rows: Rows) -> None:
    found = await asyncio.gather(*(definitions.current() for _ in range(20)))
    assert {id(each) for each in found} == {id(found[0])}
    await definitions.current()
    assert rows.queries == 1


async def test_the_definitions_are_read_again_after_two_seconds(
    definitions: FieldDefinitions, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    await definitions.current()
    rows.keys = ["added"]
    assert list(await definitions.current()) == []
    monkeypatch.setattr(module, "FRESH_FOR_S", 0)
    assert list(await definitions.current()) == ["added"]


async def test_a_change_is_seen_at_once_also_if_a_query_was_running(definitions: FieldDefinitions, rows: Rows) -> None:
    rows.may_respond.clear()
    before = asyncio.create_task(definitions.current())
    await asyncio.sleep(0.01)
    rows.keys = ["added"]
    definitions.forget()
    rows.may_respond.set()
    assert list(await definitions.current()) == ["added"]
    assert list(await before) == []
    assert list(await definitions.current()) == ["added"]
    assert rows.queries == 2


async def test_a_failure_is_that_of_all_who_wait_and_is_not_kept(definitions: FieldDefinitions, rows: Rows) -> None:
    rows.failure = DatabaseUnavailable("away")
    results = await asyncio.gather(*(definitions.current() for _ in range(20)), return_exceptions=True)
    assert [type(result) for result in results] == [DatabaseUnavailable] * 20
    assert rows.queries == 1
    rows.failure = None
    assert list(await definitions.current()) == []


async def test_a_request_waits_until_its_deadline_and_the_query_goes_on(
    definitions: FieldDefinitions, rows: Rows
) -> None:
    rows.may_respond.clear()
    with within(0.01), pytest.raises(DeadlineExceeded):
        await definitions.current()
    patient = asyncio.create_task(definitions.current())
    await asyncio.sleep(0)
    rows.may_respond.set()
    assert list(await patient) == []
    assert rows.queries == 1
