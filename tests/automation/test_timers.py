"""Warnings and breaches: each comes once, at the time of the database's clock, whatever else happens."""

import asyncio

from automation.conftest import HOUR, Automated, clock_of
from services.automation.timer_lag import measure


async def test_a_warning_and_a_breach_come_once_each(automated: Automated) -> None:
    policy = await automated.policy(first_response_s=HOUR)
    ticket = await automated.ticket()
    await automated.fire()
    assert await automated.types(ticket) == ["created"]
    await automated.pass_time(0.85 * HOUR)
    await automated.fire()
    await automated.fire()
    warned = await automated.read(ticket)
    assert clock_of(warned, "first_response")["warned_at"] is not None
    await automated.pass_time(0.2 * HOUR)
    await automated.fire()
    await automated.fire()
    breached = await automated.read(ticket)
    assert clock_of(breached, "first_response")["state"] == "breached"
    warning, breach = (await automated.events(ticket))[1:]
    assert [warning["type"], breach["type"]] == ["sla_warned", "sla_breached"]
    assert {warning["actor"], breach["actor"]} == {"system:sla"}
    due_at = clock_of(ticket, "first_response")["due_at"]
    fact = {"kind": "first_response", "policy_id": policy["id"], "budget_s": HOUR, "due_at": due_at}
    assert warning["data"] == breach["data"] == {"sla_clock": fact}


async def test_after_an_outage_the_warning_comes_before_the_breach(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR, resolution_s=2 * HOUR)
    ticket = await automated.ticket()
    await automated.pass_time(10 * HOUR)
    await automated.fire()
    facts = [(event["type"], event["data"]["sla_clock"]["kind"]) for event in (await automated.events(ticket))[1:]]
    assert facts == [
        ("sla_warned", "first_response"),
        ("sla_breached", "first_response"),
        ("sla_warned", "resolution"),
        ("sla_breached", "resolution"),
    ]


async def test_an_answer_in_time_clears_the_timer(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR)
    ticket = await automated.ticket()
    await automated.change(ticket, status="answered")
    await automated.pass_time(2 * HOUR)
    await automated.fire()
    assert await automated.types(ticket) == ["created", "changed"]


async def test_a_late_answer_keeps_the_breach(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR)
    ticket = await automated.ticket()
    await automated.pass_time(2 * HOUR)
    await automated.fire()
    clock = clock_of(await automated.change(ticket, status="answered"), "first_response")
    assert clock["state"] == "breached"
    assert clock["met_at"] is not None
    assert clock["remaining_s"] < 0


async def test_several_processes_fire_each_timer_once(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR)
    tickets = [await automated.ticket() for _ in range(30)]
    await automated.pass_time(2 * HOUR)
    await asyncio.gather(*(automated.fire() for _ in range(4)))
    for ticket in tickets:
        assert await automated.types(ticket) == ["created", "sla_warned", "sla_breached"]


async def test_lists_filter_and_sort_by_what_is_due(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR, match={"tag": ["soon"]})
    await automated.policy(first_response_s=50 * HOUR, match={"tag": ["late"]})
    late, soon, never = [await automated.ticket(tags=tags) for tags in (["late", "due"], ["soon", "due"], ["due"])]

    async def ids(query: str) -> list[int]:
        return [item["id"] for item in (await automated.call("GET", f"/tickets?tag=due&{query}", 200))["items"]]

    assert await ids("sort=due") == [soon["id"], late["id"]]
    assert await ids(f"due_before={late['due_at']}") == [soon["id"]]
    assert await ids("sla=breached&sla=at_risk") == []
    await automated.pass_time(0.9 * HOUR)
    await automated.fire()
    assert await ids("sla=at_risk") == [soon["id"]]
    await automated.pass_time(HOUR)
    await automated.fire()
    assert await ids("sla=breached") == [soon["id"]]
    assert await ids("sla=breached&sla=at_risk&sort=-updated_at") == [soon["id"]]
    assert await ids("sort=id") == [late["id"], soon["id"], never["id"]]


async def test_the_lag_is_the_time_of_the_first_timer_that_is_due(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR)
    assert await measure(automated.database) == 0
    await automated.ticket()
    assert await measure(automated.database) == 0
    await automated.pass_time(2 * HOUR)
    assert 1.2 * HOUR <= await measure(automated.database) < 1.3 * HOUR
    await automated.fire()
    assert await measure(automated.database) == 0
