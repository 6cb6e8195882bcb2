"""Admins manage policies over HTTP."""

import secrets
from typing import Any

import pytest

from directory.conftest import Directory, problem
from sla.conftest import OFFICE_HOURS
from support.api_calls import a_calendar, a_policy
from support.factories import JSON, a_ticket

YEAR_S = 31_536_000
NO_TIME = "must not be more than the calendar has in 3,660 days"


async def a_calendar_with(directory: Directory, weekly: JSON) -> int:
    calendar_id: int = (await directory.created("/calendars", a_calendar(weekly=weekly)))["id"]
    return calendar_id


@pytest.fixture
async def short(directory: Directory) -> int:
    """A calendar with an hour a week."""
    return await a_calendar_with(directory, {"mon": [["09:00", "10:00"]]})


@pytest.fixture
async def office(directory: Directory) -> int:
    return await a_calendar_with(directory, OFFICE_HOURS)


async def created(directory: Directory, calendar: int, **fields: Any) -> JSON:
    return await directory.created("/sla-policies", a_policy(str(calendar), **fields))


async def test_a_budget_that_the_calendar_never_has_is_refused(directory: Directory, short: int) -> None:
    body = a_policy(str(short), first_response_s=3600, next_response_s=YEAR_S, resolution_s=YEAR_S)
    refused = await directory.admin.post("/sla-policies", json=body)
    assert problem(refused) == (422, "invalid-reference")
    assert refused.json()["errors"] == [
        {"detail": NO_TIME, "pointer": f"#/{name}"} for name in ("next_response_s", "resolution_s")
    ]


async def test_a_change_to_a_budget_that_the_calendar_never_has_is_refused(directory: Directory, short: int) -> None:
    policy = await created(directory, short)
    refused = await directory.admin.patch(f"/sla-policies/{policy['id']}", json={"resolution_s": YEAR_S})
    assert problem(refused) == (422, "invalid-reference")
    assert refused.json()["errors"] == [{"detail": NO_TIME, "pointer": "#/resolution_s"}]


async def test_a_change_to_a_calendar_without_the_time_for_a_budget_is_refused(
    directory: Directory, short: int, office: int
) -> None:
    path = f"/sla-policies/{(await created(directory, office, first_response_s=YEAR_S))['id']}"
    refused = await directory.admin.patch(path, json={"calendar_id": short})
    assert problem(refused) == (422, "invalid-reference")
    detail = "has less time than first_response_s in 3,660 days"
    assert refused.json()["errors"] == [{"detail": detail, "pointer": "#/calendar_id"}]
    changed = await directory.admin.patch(path, json={"calendar_id": short, "first_response_s": 3600})
    assert (changed.status_code, changed.json()["calendar_id"]) == (200, short)


async def test_conditions_on_custom_fields_are_stored_as_they_are_compared(directory: Directory, office: int) -> None:
    size = await a_field(directory, "number")
    policy = await created(directory, office, match={"custom": {size: ["1.50", "1e-7", "2e3"]}})
    assert policy["match"]["custom"] == {size: ["1.5", "0.0000001", "2000"]}
    path = f"/sla-policies/{policy['id']}"
    same = await directory.admin.patch(path, json={"match": {"custom": {size: ["1.5", "1e-07", "2000.0"]}}})
    assert (same.json(), same.headers["ETag"]) == (policy, '"1"')


async def test_conditions_that_no_ticket_can_meet_are_refused(directory: Directory, office: int) -> None:
    size, device = await a_field(directory, "number"), await a_field(directory, "select", options=["printer"])
    match = {"group_id": [999_999], "custom": {size: ["1", "big"], device: ["printer", "x"], "no_such": ["x"]}}
    refused = [await directory.admin.post("/sla-policies", json=a_policy(str(office), match=match))]
    path = f"/sla-policies/{(await created(directory, office))['id']}"
    refused.append(await directory.admin.patch(path, json={"match": match}))
    for response in refused:
        assert problem(response) == (422, "invalid-reference")
        assert [each["pointer"] for each in response.json()["errors"]] == [
            "#/match/group_id/0",
            f"#/match/custom/{size}/1",
            f"#/match/custom/{device}/1",
            "#/match/custom/no_such",
        ]


async def a_field(directory: Directory, field_type: str, **fields: Any) -> str:
    key = f"f{secrets.token_hex(6)}"
    await directory.created("/fields", {"key": key, "label": "Field", "type": field_type} | fields)
    return key


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("Example.COM", "example.com"),
        ("xn--bcher-kva.de", "bücher.de"),
        ("BÜCHER.de", "bücher.de"),
        ("почта.рф", "почта.рф"),
        ("office.local", "office.local"),
    ],
)
async def test_a_domain_is_one_that_addresses_have(directory: Directory, office: int, sent: str, stored: str) -> None:
    response = await directory.admin.post("/sla-policies", json=a_policy(str(office), match={"domain": [sent]}))
    assert response.json()["match"]["domain"] == [stored]
    ticket = await directory.created("/tickets", a_ticket(email=f"alice@{sent}"))
    assert ticket["email"] == f"alice@{stored}"


@pytest.mark.parametrize("domain", ["", " ", "com", "a@b.com", "exa mple.com", ".example.com", "x" * 300])
async def test_what_is_no_domain_is_refused(directory: Directory, office: int, domain: str) -> None:
    response = await directory.admin.post("/sla-policies", json=a_policy(str(office), match={"domain": [domain]}))
    assert problem(response) == (422, "invalid-request")
