import logging

import httpx2
import pytest
from fastapi import FastAPI

from api.problems.types import PROBLEM_TYPES
from core import errors
from support.factories import running, settings_for


def leaves(error: type[Exception]) -> set[type[Exception]]:
    below = error.__subclasses__()
    return set().union(*(leaves(each) for each in below)) if below else {error}


def test_every_error_of_the_service_has_its_answer() -> None:
    assert leaves(errors.ServiceError) <= set(PROBLEM_TYPES)


def test_every_answer_has_a_type_of_its_own() -> None:
    slugs = [kind.slug for kind in PROBLEM_TYPES.values()]
    assert len(slugs) == len(set(slugs))


async def test_an_unexpected_error_says_nothing_of_the_inside(
    database_dsn: str, redis_address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    async with running(settings_for(database_dsn, *redis_address)) as (app, client):
        break_the_service(app)
        with caplog.at_level(logging.ERROR):
            answer = await client.get("/tickets")
    assert_internal_error(answer)
    assert answer.json()["request_id"] in caplog.text


def break_the_service(app: FastAPI) -> None:
    class Broken:
        async def tickets(self, _: object) -> None:
            raise RuntimeError("the secret of the inside")

    app.state.lists = Broken()


def assert_internal_error(answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    assert answer.json()["type"] == "/problems/internal-error"
    assert answer.headers["X-Request-Id"] == answer.json()["request_id"]
    assert "secret" not in answer.text
