"""The clocks of tickets: what starts, pauses, resumes and meets them."""

from datetime import datetime, timedelta

from automation.conftest import HOUR, OFFICE, Automated, clock_of
from support.factories import JSON


async def test_a_new_ticket_is_under_the_first_policy_that_matches_it(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR, match={"priority": ["urgent"]})
    standard = await automated.policy(first_response_s=8 * HOUR)
    ticket = await automated.ticket()
    clock = clock_of(ticket, "first_response")
    assert (clock["policy_id"], clock["state"], clock["remaining_s"]) == (standard["id"], "running", 8 * HOUR)
    assert datetime.fromisoformat(clock["due_at"]) == datetime.fromisoformat(ticket["created_at"]) + timedelta(hours=8)
    assert ticket["due_at"] == clock["due_at"]
    assert clock_of(await automated.ticket(priority="urgent"), "first_response")["budget_s"] == HOUR


async def test_a_ticket_without_a_policy_has_no_clocks(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR, match={"tag": ["vip"]})
    ticket = await automated.ticket()
    assert (ticket["sla"], ticket["due_at"]) == ([], None)
    changed = await automated.change(ticket, tags=["vip"])
    assert clock_of(changed, "first_response")["state"] == "running"


async def test_the_lookup_the_list_and_the_response_show_the_same_clocks(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR, resolution_s=8 * HOUR)
    created = await automated.ticket()
    found = await automated.call("GET", "/tickets?limit=1", 200)
    assert found["items"][0] == created
    read = await automated.read(created)
    assert {name: read[name] for name in created} == created


async def test_an_answer_meets_the_response_and_pauses_the_resolution(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR, next_response_s=HOUR, resolution_s=8 * HOUR)
    ticket = await automated.ticket()
    await automated.pass_time(600)
    answered = await automated.change(ticket, status="answered")
    assert clock_of(answered, "first_response")["state"] == "met"
    resolution = clock_of(answered, "resolution")
    assert (resolution["state"], resolution["due_at"], answered["due_at"]) == ("paused", None, None)
    assert 600 <= resolution["spent_s"] < 660
    await automated.pass_time(5 * HOUR)
    asked = await automated.change(ticket, status="awaiting_reply")
    assert clock_of(asked, "resolution")["spent_s"] == resolution["spent_s"]
    assert clock_of(asked, "next_response")["state"] == "running"
    closed = await automated.change(ticket, status="closed")
    assert {clock["kind"]: clock["state"] for clock in closed["sla"]} == {
        "first_response": "met",
        "next_response": "met",
        "resolution": "met",
    }


async def test_a_further_question_has_a_budget_of_its_own(automated: Automated) -> None:
    await automated.policy(next_response_s=HOUR)
    ticket = await automated.ticket()
    assert ticket["sla"] == []
    for status in ("answered", "awaiting_reply"):
        changed = await automated.change(ticket, status=status)
    await automated.pass_time(1800)
    for status in ("answered", "awaiting_reply"):
        changed = await automated.change(ticket, status=status)
    clock = clock_of(changed, "next_response")
    assert (clock["state"], clock["spent_s"]) == ("running", 0)


async def test_another_policy_keeps_the_time_that_was_spent(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR, match={"priority": ["urgent"]})
    await automated.policy(first_response_s=8 * HOUR)
    ticket = await automated.ticket()
    await automated.pass_time(1800)
    clock = clock_of(await automated.change(ticket, priority="urgent"), "first_response")
    assert clock["budget_s"] == HOUR
    assert 1800 <= clock["spent_s"] < 1860
    (event,) = [event for event in await automated.events(ticket) if event["version"] == 2]
    assert event["data"]["sla_terms"]["to"]["first_response_s"] == HOUR


async def test_an_edited_policy_keeps_what_it_promised_until_it_is_recomputed(automated: Automated) -> None:
    policy = await automated.policy(first_response_s=HOUR)
    ticket = await automated.ticket()
    path = f"/sla-policies/{policy['id']}"
    await automated.call("PATCH", path, 200, json={"first_response_s": 2 * HOUR})
    changed = await automated.change(ticket, priority="low")
    assert clock_of(changed, "first_response")["budget_s"] == HOUR
    after = {"after_ticket_id": ticket["id"] - 1}
    proposed = await automated.call("POST", f"{path}/recompute", 200, json=after)
    assert [item["ticket_id"] for item in proposed["items"]] == [ticket["id"]]
    assert clock_of(await automated.read(ticket), "first_response")["budget_s"] == HOUR
    await automated.call("POST", f"{path}/recompute", 200, json=after | {"dry_run": False})
    assert clock_of(await automated.read(ticket), "first_response")["budget_s"] == 2 * HOUR
    again = await automated.call("POST", f"{path}/recompute", 200, json=after | {"dry_run": False})
    assert again["items"] == []


async def test_only_working_time_counts(automated: Automated) -> None:
    await automated.policy(first_response_s=8 * HOUR, calendar_id=await automated.calendar(OFFICE, "Europe/Berlin"))
    ticket = await automated.ticket()
    due = datetime.fromisoformat(clock_of(ticket, "first_response")["due_at"])
    created = datetime.fromisoformat(ticket["created_at"])
    assert due - created >= timedelta(hours=8)


async def test_a_requester_sees_neither_clocks_nor_their_events(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR)
    ticket = await automated.ticket(email="alice@example.com")
    await automated.pass_time(2 * HOUR)
    await automated.fire()
    headers = {"Authorization": f"Bearer {await automated.requester_key('alice@example.com')}"}
    read = await automated.call("GET", f"/tickets/{ticket['id']}", 200, headers=headers)
    assert not {"sla", "due_at"} & read.keys()
    history = await automated.call("GET", f"/tickets/{ticket['id']}/history", 200, headers=headers)
    assert [event["type"] for event in history["items"]] == ["created"]
    assert "sla_terms" not in history["items"][0]["data"]
    for query in ("sla=breached", "sort=due", "due_before=2030-01-01T00:00:00Z"):
        await automated.call("GET", f"/tickets?{query}", 403, headers=headers)


async def test_a_policy_matches_a_small_number(automated: Automated) -> None:
    await automated.call("POST", "/fields", 201, json={"key": "dose", "label": "Dose", "type": "number"})
    await automated.policy(first_response_s=HOUR, match={"custom": {"dose": ["1e-7"]}})
    assert clock_of(await automated.ticket(custom={"dose": 0.0000001}), "first_response")["state"] == "running"
    assert (await automated.ticket(custom={"dose": 0.000001}))["sla"] == []


async def test_a_policy_matches_an_internationalized_domain(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR, match={"domain": ["xn--bcher-kva.de"]})
    for address in ("alice@BÜCHER.de", "alice@xn--bcher-kva.de"):
        assert clock_of(await automated.ticket(email=address), "first_response")["state"] == "running"
    assert (await automated.ticket(email="alice@bucher.de"))["sla"] == []


async def test_a_paused_clock_after_its_warning_is_at_risk(automated: Automated) -> None:
    await automated.policy(resolution_s=2 * HOUR)
    ticket = await automated.ticket(tags=["slow"])
    await automated.pass_time(1.7 * HOUR)
    await automated.fire()
    await automated.change(ticket, status="answered")
    (found,) = (await automated.call("GET", "/tickets?sla=at_risk&tag=slow", 200))["items"]
    assert clock_of(found, "resolution")["state"] == "paused"
    await automated.change(ticket, status="closed")
    assert (await automated.call("GET", "/tickets?sla=at_risk&tag=slow", 200))["items"] == []


async def test_a_further_question_forgets_the_breach_of_an_earlier_one(automated: Automated) -> None:
    await automated.policy(next_response_s=HOUR)
    ticket = await automated.ticket(tags=["asked"])
    for status in ("answered", "awaiting_reply"):
        await automated.change(ticket, status=status)
    await automated.pass_time(2 * HOUR)
    await automated.fire()
    (found,) = (await automated.call("GET", "/tickets?sla=breached&tag=asked", 200))["items"]
    assert clock_of(found, "next_response")["state"] == "breached"
    for status in ("answered", "awaiting_reply"):
        await automated.change(ticket, status=status)
    assert (await automated.call("GET", "/tickets?sla=breached&tag=asked", 200))["items"] == []


async def test_a_breached_clock_is_due_when_it_runs_again(automated: Automated) -> None:
    await automated.policy(resolution_s=HOUR)
    ticket = await automated.ticket()
    await automated.pass_time(2 * HOUR)
    await automated.fire()
    await automated.change(ticket, status="answered")
    await automated.pass_time(HOUR)
    resumed = await automated.change(ticket, status="awaiting_reply")
    assert resumed["due_at"] == resumed["updated_at"]


async def test_a_change_of_a_calendar_applies_to_the_next_ticket(automated: Automated) -> None:
    calendar = await automated.call("POST", "/calendars", 201, json={"name": "Moved", "zone": "UTC", "weekly": OFFICE})
    await automated.policy(first_response_s=HOUR, calendar_id=calendar["id"])
    await automated.ticket()
    closed: JSON = {day: [] for day in OFFICE} | {"sun": [["03:00", "04:00"]]}
    await automated.call("PATCH", f"/calendars/{calendar['id']}", 200, json={"weekly": closed})
    due = datetime.fromisoformat(clock_of(await automated.ticket(), "first_response")["due_at"])
    assert due.isoweekday() == 7
