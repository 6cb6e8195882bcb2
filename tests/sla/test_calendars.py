"""Admins manage calendars over HTTP, and agents compute with them."""

from datetime import UTC, datetime, timedelta

import pytest

from directory.conftest import Directory, problem
from services.sla import calendars as module
from sla.conftest import OFFICE_HOURS
from support import api_calls
from support.factories import JSON


def a_calendar(**fields: object) -> JSON:
    """Return the body of a new calendar with office hours."""
    return api_calls.a_calendar(weekly=OFFICE_HOURS) | fields


async def created(directory: Directory, **fields: object) -> str:
    """Create a calendar and return its path."""
    return f"/calendars/{(await directory.created('/calendars', a_calendar(**fields)))['id']}"


async def test_a_calendar_is_created_read_and_listed(directory: Directory) -> None:
    new = a_calendar(exceptions={"2026-12-25": [], "2026-12-24": [["09:00", "12:00"]]})
    response = await directory.admin.post("/calendars", json=new)
    calendar = response.json()
    assert (response.status_code, response.headers["ETag"]) == (201, '"1"')
    assert response.headers["Location"] == f"/calendars/{calendar['id']}"
    assert calendar.items() >= (new | {"weekly": OFFICE_HOURS | {"sat": [], "sun": []}, "version": 1}).items()
    assert list(calendar["weekly"]) == ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    assert list(calendar["exceptions"]) == ["2026-12-24", "2026-12-25"]
    found = await directory.agent.get(response.headers["Location"])
    assert (found.json(), found.headers["ETag"]) == (calendar, '"1"')
    listed = (await directory.agent.get("/calendars")).json()["items"]
    assert {name: value for name, value in calendar.items() if name != "exceptions"} in listed


async def test_a_patch_merges_days_and_dates(directory: Directory) -> None:
    path = await created(directory, exceptions={"2026-12-25": [], "2026-12-26": []})
    change = {
        "name": "Support of " + path,
        "zone": "Europe/Vienna",
        "weekly": {"fri": None, "sat": [["22:00", "06:00"]]},
        "exceptions": {"2026-12-25": None, "2026-12-31": [["09:00", "24:00"]]},
    }
    response = await directory.admin.patch(path, json=change, headers={"If-Match": '"1"'})
    calendar = response.json()
    assert (response.status_code, response.headers["ETag"]) == (200, '"2"')
    assert (calendar["name"], calendar["zone"]) == (change["name"], change["zone"])
    assert calendar["weekly"] == OFFICE_HOURS | {"fri": [], "sat": [["22:00", "06:00"]], "sun": []}
    assert calendar["exceptions"] == {"2026-12-26": [], "2026-12-31": [["09:00", "24:00"]]}
    assert (await directory.agent.get(path)).json() == calendar
    same = await directory.admin.patch(path, json=change)
    assert (same.json(), same.headers["ETag"]) == (calendar, '"2"')
    refused = await directory.admin.patch(path, json=change, headers={"If-Match": '"1"'})
    assert (problem(refused), refused.headers["ETag"]) == ((412, "version-mismatch"), '"2"')


async def test_no_two_calendars_have_the_same_name(directory: Directory) -> None:
    name = (await directory.created("/calendars", a_calendar(name="Day and night")))["name"]
    other = await created(directory)
    for refused in (
        await directory.admin.post("/calendars", json=a_calendar(name=name.upper())),
        await directory.admin.patch(other, json={"name": name.lower()}),
    ):
        assert problem(refused) == (409, "already-exists")
        assert refused.json()["errors"] == [{"detail": "must be unique", "pointer": "#/name"}]


async def test_only_admins_write_and_requesters_read_nothing(directory: Directory) -> None:
    path = await created(directory)
    for client in (directory.agent, directory.requester):
        assert problem(await client.post("/calendars", json=a_calendar())) == (403, "forbidden")
        assert problem(await client.patch(path, json={"zone": "UTC"})) == (403, "forbidden")
    span = "from=2026-03-02T09:00:00Z&until=2026-03-02T10:00:00Z"
    for target in (
        "/calendars",
        path,
        f"{path}/due?from=2026-03-02T09:00:00Z&seconds=1",
        f"{path}/worked?{span}",
        f"{path}/holidays?country=DE&year=2026",
    ):
        assert problem(await directory.requester.get(target)) == (403, "forbidden")
        assert (await directory.agent.get(target)).status_code == 200


async def test_an_unknown_calendar_is_not_found(directory: Directory) -> None:
    path = f"/calendars/{2**62}"
    for response in (
        await directory.agent.get(path),
        await directory.admin.patch(path, json={"zone": "UTC"}),
        await directory.agent.get(f"{path}/due?from=2026-03-02T09:00:00Z&seconds=1"),
        await directory.agent.get(f"{path}/worked?from=2026-03-02T09:00:00Z&until=2026-03-02T09:00:00Z"),
        await directory.agent.get(f"{path}/holidays?country=DE&year=2026"),
    ):
        assert problem(response) == (404, "calendar-not-found")


async def test_at_most_a_hundred_calendars_exist(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller limit: calendars are never deleted."""
    count = len((await directory.admin.get("/calendars")).json()["items"])
    assert module.MAX_CALENDARS == 100
    monkeypatch.setattr(module, "MAX_CALENDARS", count + 1)
    await created(directory)
    assert problem(await directory.admin.post("/calendars", json=a_calendar())) == (409, "too-many-calendars")


NINE_TO_FIVE = [["09:00", "17:00"]]


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"zone": "Europe/Atlantis"}, ["#/zone"]),
        ({"name": " "}, ["#/name"]),
        ({"weekly": {}}, ["#/weekly"]),
        ({"weekly": {"mon": [], "sun": []}}, ["#/weekly"]),
        ({"weekly": {"someday": NINE_TO_FIVE}}, ["#/weekly/someday"]),
        ({"weekly": {"mon": None}}, ["#/weekly/mon"]),
        ({"weekly": {"mon": [["9:00", "17:00"]]}}, ["#/weekly/mon/0/0"]),
        ({"weekly": {"mon": [["09:00", "24:01"]]}}, ["#/weekly/mon/0/1"]),
        ({"weekly": {"mon": [["09:00", "17:00:00"]]}}, ["#/weekly/mon/0/1"]),
        ({"weekly": {"mon": [["24:00", "17:00"]]}}, ["#/weekly/mon/0"]),
        ({"weekly": {"mon": [["09:00", "09:00"]]}}, ["#/weekly/mon/0"]),
        ({"weekly": {"mon": [["09:00"]]}}, ["#/weekly/mon/0"]),
        ({"weekly": {"mon": [["09:00", "17:00", "18:00"]]}}, ["#/weekly/mon/0"]),
        ({"weekly": {"mon": [["08:00", "08:30"]] * 11}}, ["#/weekly/mon"]),
        ({"weekly": {"mon": [["13:00", "17:00"], ["09:00", "13:01"]]}}, ["#/weekly/mon/0"]),
        (
            {"weekly": {"mon": [["22:00", "06:00"]], "tue": [["12:00", "13:00"], ["05:59", "08:00"]]}},
            ["#/weekly/tue/1"],
        ),
        ({"weekly": {"sun": [["22:00", "06:00"]], "mon": [["05:00", "08:00"]]}}, ["#/weekly/mon/0"]),
        ({"exceptions": {"2026-02-29": []}}, ["#/exceptions/2026-02-29"]),
        ({"exceptions": {"2026-2-1": []}}, ["#/exceptions/2026-2-1"]),
        ({"exceptions": {"1899-12-31": []}}, ["#/exceptions/1899-12-31"]),
        ({"exceptions": {"2026-12-24": [["12:00", "12:00"]]}}, ["#/exceptions/2026-12-24/0"]),
        (
            {"exceptions": {"2026-12-24": [["09:00", "12:00"], ["10:00", "11:00"], ["11:30", "13:00"]]}},
            ["#/exceptions/2026-12-24/1", "#/exceptions/2026-12-24/2"],
        ),
        # Into the Tuesday after it, into the exception after it, and from the Monday before it.
        ({"exceptions": {"2026-12-28": [["22:00", "09:01"]]}}, ["#/exceptions/2026-12-28/0"]),
        (
            {"exceptions": {"2026-12-28": [["22:00", "08:01"]], "2026-12-29": [["08:00", "09:00"]]}},
            ["#/exceptions/2026-12-29/0"],
        ),
        (
            {"weekly": {"mon": [["22:00", "06:00"]]}, "exceptions": {"2026-12-29": [["05:00", "06:00"]]}},
            ["#/exceptions/2026-12-29/0"],
        ),
    ],
    ids=str,
)
async def test_an_invalid_calendar_is_refused_with_pointers(
    directory: Directory, fields: JSON, pointers: list[str]
) -> None:
    refused = await directory.admin.post("/calendars", json=a_calendar(**fields))
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == pointers


async def test_intervals_may_touch(directory: Directory) -> None:
    await created(
        directory,
        weekly={
            "sun": [["22:00", "06:00"]],
            "mon": [["06:00", "12:00"], ["12:00", "24:00"]],
            "tue": [["00:00", "24:00"]],
        },
        exceptions={"2026-12-30": [["00:00", "01:00"]], "2026-12-31": [["09:00", "00:00"]]},
    )


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"weekly": dict.fromkeys(OFFICE_HOURS)}, "#/weekly"),
        ({"weekly": {"mon": [["22:00", "10:00"]]}}, "#/weekly/tue/0"),
        ({"exceptions": {"2026-12-28": [["22:00", "10:00"]]}}, "#/exceptions/2026-12-28/0"),
    ],
)
async def test_a_patch_is_checked_with_what_is_stored(directory: Directory, change: JSON, pointer: str) -> None:
    path = await created(directory)
    refused = await directory.admin.patch(path, json=change)
    assert problem(refused) == (422, "invalid-calendar")
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert (await directory.agent.get(path)).headers["ETag"] == '"1"'


async def test_a_calendar_has_at_most_a_thousand_exceptions(directory: Directory) -> None:
    path = await created(directory)
    days = [datetime(2026, 1, 1, tzinfo=UTC).date() + timedelta(days=number) for number in range(1001)]
    dates = [day.isoformat() for day in days]
    for chunk in (dates[:400], dates[400:800], dates[800:1000]):
        assert (await directory.admin.patch(path, json={"exceptions": {date: [] for date in chunk}})).status_code == 200
    refused = await directory.admin.patch(path, json={"exceptions": {dates[1000]: []}})
    assert problem(refused) == (422, "invalid-calendar")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/exceptions"]


async def test_due_and_worked_answer_what_the_hours_say(directory: Directory) -> None:
    path = await created(directory, exceptions={"2026-03-03": []})
    start = {"from": "2026-03-02T16:30:00.250+01:00"}
    due = await directory.agent.get(f"{path}/due", params=start | {"seconds": 7200})
    assert due.json() == {"due_at": "2026-03-04T09:00:00.250000Z"}
    worked = await directory.agent.get(f"{path}/worked", params=start | {"until": due.json()["due_at"]})
    assert worked.json() == {"seconds": 7200}


async def test_a_change_of_the_hours_is_in_the_next_response(directory: Directory) -> None:
    path = await created(directory, zone="UTC")
    target = f"{path}/worked?from=2026-03-02T00:00:00Z&until=2026-03-03T00:00:00Z"
    assert (await directory.agent.get(target)).json() == {"seconds": 8.5 * 3600}
    assert (await directory.admin.patch(path, json={"weekly": {"mon": [["09:00", "10:00"]]}})).status_code == 200
    assert (await directory.agent.get(target)).json() == {"seconds": 3600}


@pytest.mark.parametrize(
    ("target", "parameter"),
    [
        ("due?from=2026-03-02T09:00:00Z", "seconds"),
        ("due?from=2026-03-02T09:00:00Z&seconds=0", "seconds"),
        ("due?from=2026-03-02T09:00:00Z&seconds=316224001", "seconds"),
        ("due?from=2026-03-02T09:00:00Z&seconds=1.5", "seconds"),
        ("due?from=2026-03-02T09:00:00Z&seconds=316224000", "seconds"),
        ("due?from=2026-03-02&seconds=1", "from"),
        ("due?from=9999-12-31T00:00:00Z&seconds=1", "seconds"),
        ("due?seconds=1", "from"),
        ("worked?from=2026-03-02T09:00:00Z&until=2026-03-02T08:59:59Z", "until"),
        ("worked?from=2026-03-02T09:00:00Z&until=2036-03-10T09:00:00Z", "until"),
        ("worked?from=2026-03-02T09:00:00Z", "until"),
        ("worked?from=2026-03-02T09:00:00Z&until=2026-03-02T09:00:00Z&to=1", "to"),
        ("holidays?country=de&year=2026", "country"),
        ("holidays?country=XX&year=2026", "country"),
        ("holidays?country=DE&subdivision=XX&year=2026", "subdivision"),
        ("holidays?country=DE&year=1969", "year"),
        ("holidays?country=DE&year=1990", "year"),
        ("holidays?country=LK&year=2027", "year"),
        ("holidays?country=IN&year=2036", "year"),
        ("holidays?country=DE", "year"),
    ],
)
async def test_an_invalid_question_is_refused_with_its_parameter(
    directory: Directory, target: str, parameter: str
) -> None:
    refused = await directory.agent.get(f"{await _any_calendar(directory)}/{target}")
    assert refused.status_code == 422
    assert [error["parameter"] for error in refused.json()["errors"]] == [parameter]


async def _any_calendar(directory: Directory) -> str:
    items = (await directory.admin.get("/calendars")).json()["items"]
    return f"/calendars/{items[0]['id']}" if items else await created(directory)


async def test_holidays_are_proposed_and_may_be_sent_as_they_are(directory: Directory) -> None:
    path = await created(directory, exceptions={"2026-12-25": [["09:00", "10:00"]]})
    target = f"{path}/holidays?country=DE&subdivision=BY&year=2026"
    proposal = (await directory.agent.get(target)).json()
    assert proposal["names"].keys() == proposal["exceptions"].keys()
    assert proposal["names"]["2026-12-26"] == "Zweiter Weihnachtstag"
    assert proposal["names"]["2026-01-06"] == "Heilige Drei Könige"
    assert set(map(str, proposal["exceptions"].values())) == {"[]"}
    assert "2026-12-25" not in proposal["exceptions"]
    nation = (await directory.agent.get(f"{path}/holidays?country=DE&year=2026")).json()
    assert nation["names"].items() < proposal["names"].items()
    changed = await directory.admin.patch(path, json={"exceptions": proposal["exceptions"]})
    assert changed.json()["exceptions"] == proposal["exceptions"] | {"2026-12-25": [["09:00", "10:00"]]}
    assert (await directory.agent.get(target)).json() == {"exceptions": {}, "names": {}}
