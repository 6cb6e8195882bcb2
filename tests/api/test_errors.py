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


def test_every_error_of_the_service_has_a_problem_type() -> None:
    assert leaves(errors.ServiceError) <= set(PROBLEM_TYPES)


def test_every_problem_type_has_a_slug_of_its_own() -> None:
    slugs = [problem_type.slug for problem_type in PROBLEM_TYPES.values()]
    assert len(slugs) == len(set(slugs))


async def test_the_response_to_an_unexpected_error_has_no_internal_details(
    database_dsn: str, redis_address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    async with running(settings_for(database_dsn, *redis_address)) as (app, client):
        break_the_service(app)
        with caplog.at_level(logging.ERROR):
            response = await client.get("/tickets")
    assert_internal_error(response)
    assert response.json()["request_id"] in caplog.text


def break_the_service(app: FastAPI) -> None:
    class Broken:
        async def tickets(self, _: object) -> None:
            raise RuntimeError("the secret of the inside")

    app.state.lists = Broken()


def assert_internal_error(response: httpx2.Response) -> None:
    assert (response.status_code, response.headers["Content-Type"]) == (500, "application/problem+json")
    assert response.json()["type"] == "/problems/internal-error"
    assert response.headers["X-Request-Id"] == response.json()["request_id"]
    assert "secret" not in response.text
