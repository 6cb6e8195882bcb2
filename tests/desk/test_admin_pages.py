"""The pages of the administration, over HTTP."""

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from html import unescape

import httpx2
import pytest

from desk.admin.areas import AREAS
from models import Role
from sign_in.conftest import Site, site
from support.desk_pages import field as value_of
from support.desk_pages import page, post, typed, words_of
from support.sign_in import new_account, signed_in

__all__ = ["site"]


def unique() -> str:
    return f"n{secrets.token_hex(5)}"


@pytest.fixture
async def admin(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    async with signed_in(site.app, site.admin) as client:
        yield client


@dataclass(frozen=True)
class Case:
    """The form of a new definition, where its name stands, and a change of it."""

    slug: str
    name: str
    form: Mapping[str, str | list[str]]
    change: Mapping[str, str | list[str]]
    shows: str
    uniques: tuple[str, ...] = field(default=())

    def filled(self, name: str) -> dict[str, str | list[str]]:
        return {**self.form, **dict.fromkeys(self.uniques, f"{name}@example.com"), self.name: name}


HOURS = {"mon": "09:00-12:00 13:00-17:30", "tue": "22:00-06:00", "zone": "Europe/Berlin"}
CASES = [
    Case("people", "name", {"role": "agent", "zone": "UTC", "language": "en"}, {"role": "admin"}, "Admin", ("email",)),
    Case("groups", "name", {"close_after": "1.5"}, {"close_after": "0", "active": "true"}, "yes"),
    Case(
        "fields",
        "key",
        {"label": "Colour", "type": "select", "options": "red\nblue", "required": "never"},
        {"label": "Color", "options": "red\nblue\ngreen", "archived": "true"},
        "Color",
    ),
    Case("calendars", "name", HOURS | {"exceptions": "2026-12-25"}, {"exceptions": "2026-12-24 09:00-12:00"}, "Berlin"),
    Case(
        "rules",
        "name",
        {"active": "true", "events": "ticket.created", "set_priority": "high", "match_words": "fire\nsmoke"},
        {"add_tags": "Hot", "note": "Look out", "active": ""},
        "no",
    ),
    Case("webhooks", "url", {"detail": "thin", "max_in_flight": "4"}, {"max_in_flight": "1", "tags": "vip"}, "on"),
]


def named(case: Case) -> str:
    name = unique()
    return f"https://hooks.example.com/{name}" if case.slug == "webhooks" else name


async def key_of(admin: httpx2.AsyncClient, slug: str, name: str) -> str:
    """Return the key of a definition, from the link of its list; the list is short enough for one page."""
    html = await page(admin, f"admin/{slug}" + ("?q=" + name[:8] if slug == "people" else ""))
    rows = re.findall(rf'href="[^"]*/admin/{slug}/([^"]+)"><bdi>(.*?)</bdi></a></th>(.*?)</tr>', html, re.DOTALL)
    return str(next(key for key, first, rest in rows if name in first or name in rest))


async def sent_again(admin: httpx2.AsyncClient, path: str, **changes: str | list[str]) -> httpx2.Response:
    """Send the form of a page as it is, with some changes."""
    form = form_of(await page(admin, path))
    return await post(admin, path, **(form | changes))


def form_of(html: str) -> dict[str, str | list[str]]:
    """Return what the first form of the page would send."""
    html = html.split('<form class="form"')[1].split("</form>", maxsplit=1)[0]
    sent: dict[str, str | list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        assert name is not None
        if "checkbox" not in tag:
            sent[name[1]] = value[1] if value else ""
        elif "checked" in tag and value:
            known = sent.setdefault(name[1], [])
            assert isinstance(known, list)
            known.append(value[1])
    for name, options in re.findall(r'<select name="([^"]*)"[^>]*>(.*?)</select>', html, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        sent[name] = chosen[1] if chosen else ""
    for name in re.findall(r'<textarea name="([^"]*)"', html):
        sent[name] = typed(html, name)
    return sent


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.slug)
async def test_a_definition_is_created_and_changed(admin: httpx2.AsyncClient, case: Case) -> None:
    name = named(case)
    assert form_of(await page(admin, f"admin/{case.slug}/new")).keys() >= {case.name}
    created = await post(admin, f"admin/{case.slug}", **case.filled(name))
    assert created.status_code in {200, 303}, words_of(created.text)
    path = f"admin/{case.slug}/{await key_of(admin, case.slug, name)}"
    stored = form_of(await page(admin, path))
    assert {key: stored[key] for key in case.form.keys() & stored.keys() - {"events", "active"}} == {
        key: value for key, value in case.form.items() if key in stored.keys() - {"events", "active"}
    }
    changed = await sent_again(admin, path, **case.change)
    assert changed.status_code == 303, words_of(changed.text)
    query = f"?q={name[:8]}" if case.slug == "people" else ""
    assert case.shows in words_of(await page(admin, f"admin/{case.slug}{query}"))
    again = form_of(await page(admin, path))
    for key, value in case.change.items():
        wanted = [value] if key in {"active", "archived"} and value else value
        assert str(again.get(key, "")).lower() == str(wanted).lower(), key


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.slug)
async def test_the_second_of_two_changes_is_refused_and_shows_what_is_stored(
    admin: httpx2.AsyncClient, case: Case
) -> None:
    name = named(case)
    await post(admin, f"admin/{case.slug}", **case.filled(name))
    path = f"admin/{case.slug}/{await key_of(admin, case.slug, name)}"
    member = {"fields": "label", "webhooks": "url"}.get(case.slug, "name")
    form = form_of(await page(admin, path))
    first, second = (f"https://hooks.example.com/{unique()}" if member == "url" else unique() for _ in range(2))
    assert (await post(admin, path, **form | {member: first})).status_code == 303
    refused = await post(admin, path, **form | {member: second})
    assert refused.status_code == 412
    assert f"Stored now: {first}" in words_of(refused.text)
    assert value_of(refused.text, member) == second
    confirmed = await post(admin, path, **form_of(refused.text))
    assert confirmed.status_code == 303
    assert value_of(await page(admin, path), member) == second


@pytest.mark.parametrize(
    ("slug", "form", "says"),
    [
        ("people", {"name": "Alice", "email": "nobody", "role": "agent", "zone": "UTC", "language": "en"}, "email"),
        ("calendars", {"name": "C", "zone": "Mars/Base", "mon": "09:00-17:00"}, "Time zone"),
        ("calendars", {"name": "C", "zone": "UTC", "mon": "9 to 5"}, "Working hours"),
        ("rules", {"name": "R", "events": "ticket.created"}, "Actions"),
        ("webhooks", {"url": "http://127.0.0.1/", "detail": "thin", "max_in_flight": "many"}, "max_in_flight"),
        ("policies", {"name": "P", "calendar_id": "9" * 5_000, "first_response_s": "1"}, "Calendar"),
        ("rules", {"name": "R", "events": "ticket.created", "set_group_id": "9" * 5_000}, "Actions"),
        ("rules", {"name": "R", "events": "ticket.created", "note": "x", "position": "9" * 5_000}, "Position"),
        ("policies", {"name": "P", "calendar_id": "1"}, "must have at least one budget"),
        ("keys", {"name": "crm"}, "must have either"),
        ("fields", {"key": "k", "label": "K", "type": "select", "required": "never"}, "needs options"),
    ],
)
async def test_a_refused_form_comes_back_with_the_reason(
    admin: httpx2.AsyncClient, slug: str, form: dict[str, str], says: str
) -> None:
    refused = await post(admin, f"admin/{slug}", **form)
    assert refused.status_code == 422
    assert says in words_of(refused.text)
    name = next(iter(form))
    assert value_of(refused.text, name) == form[name]


async def test_a_policy_is_created_tried_and_applied(admin: httpx2.AsyncClient) -> None:
    name, tag = unique(), unique()
    await post(admin, "admin/calendars", name=name, zone="UTC", mon="00:00-24:00", sun="00:00-24:00")
    calendar = await key_of(admin, "calendars", name)
    form = {"name": name, "calendar_id": calendar, "first_response_s": "90.5", "match_tag": tag.upper()}
    assert (await post(admin, "admin/policies", **form)).status_code == 303
    path = f"admin/policies/{await key_of(admin, 'policies', name)}"
    stored = form_of(await page(admin, path))
    assert (stored["first_response_s"], stored["match_tag"], stored["resolution_s"]) == ("90.5", tag, "")
    created = await post(admin, "tickets", email="bob@example.com", subject="S", text="T", tags=tag)
    assert created.status_code == 303
    tried = await post(admin, f"{path}/try")
    assert "What the policy would change" in words_of(tried.text)
    applied = await post(admin, f"{path}/apply")
    assert "What the policy has changed" in words_of(applied.text)


async def test_a_rule_is_tried_and_deleted(admin: httpx2.AsyncClient) -> None:
    name, tag = unique(), unique()
    form = {"name": name, "active": "true", "events": "ticket.created", "add_tags": tag, "match_words": tag}
    assert (await post(admin, "admin/rules", **form)).status_code == 303
    path = f"admin/rules/{await key_of(admin, 'rules', name)}"
    await post(admin, "tickets", email="bob@example.com", subject=tag, text="T")
    tried = words_of((await post(admin, f"{path}/try")).text)
    assert "the rule matches 1." in tried
    deleted = await post(admin, f"{path}/delete", version=value_of(await page(admin, path), "version"))
    assert deleted.status_code == 303
    assert name not in await page(admin, "admin/rules")


async def test_the_secret_of_a_key_is_shown_once_and_the_key_is_revoked(admin: httpx2.AsyncClient, site: Site) -> None:
    name = unique()
    created = await post(admin, "admin/keys", name=name, role="agent", scopes=["read", "comment"])
    assert created.status_code == 200
    assert created.headers["Cache-Control"] == "no-store"
    secret = re.search(r'readonly value="(tk_[^"]*)"', created.text)
    assert secret is not None
    key = await key_of(admin, "keys", name)
    shown = await page(admin, f"admin/keys/{key}")
    assert secret[1] not in shown
    assert "read, comment" in words_of(shown)
    transport = httpx2.ASGITransport(app=site.app)
    headers = {"Authorization": f"Bearer {secret[1]}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://tickets", headers=headers) as program:
        assert (await program.get("/tickets")).status_code == 200
    assert (await post(admin, f"admin/keys/{key}/revoke")).status_code == 303
    revoked = await page(admin, f"admin/keys/{key}")
    assert "revoked" in words_of(revoked)
    assert "/revoke" not in revoked


async def test_a_tag_is_renamed_on_all_tickets(admin: httpx2.AsyncClient) -> None:
    old, new = unique(), unique()
    await post(admin, "tickets", email="bob@example.com", subject="S", text="T", tags=old)
    assert f"{old} 1" in words_of(await page(admin, f"admin/tags?q={old}"))
    assert (await post(admin, f"admin/tags/{old}", to=new.upper())).status_code == 303
    assert f"{new} 1" in words_of(await page(admin, f"admin/tags?q={new}"))
    assert old not in words_of(await page(admin, f"admin/tags?q={old}"))


async def test_the_tickets_of_a_person_are_handed_over(admin: httpx2.AsyncClient, site: Site) -> None:
    leaves, stays = [await new_account(site.app) for _ in range(2)]
    tag = unique()
    await post(admin, "tickets", email="bob@example.com", subject="S", text="T", tags=tag, assignee_id=leaves.id)
    done = await post(admin, f"admin/people/{leaves.id}/hand-over", to=stays.id)
    assert done.status_code == 303
    listed = await admin.get(f"/desk/tickets?assignee={stays.id}&tag={tag}")
    assert "S" in words_of(listed.text)


async def test_members_of_a_group_are_ticked(admin: httpx2.AsyncClient, site: Site) -> None:
    name, member = unique(), await new_account(site.app)
    await post(admin, "admin/groups", name=name, members=[member.id, site.admin.id])
    path = f"admin/groups/{await key_of(admin, 'groups', name)}"
    assert set(form_of(await page(admin, path))["members"]) == {member.id, site.admin.id}
    assert (await sent_again(admin, path, members=[member.id])).status_code == 303
    assert form_of(await page(admin, path))["members"] == [member.id]


async def test_public_holidays_are_proposed_and_nothing_is_changed(admin: httpx2.AsyncClient) -> None:
    name = unique()
    await post(admin, "admin/calendars", name=name, zone="UTC", mon="09:00-17:00", exceptions="2026-12-25 10:00-11:00")
    path = f"admin/calendars/{await key_of(admin, 'calendars', name)}"
    proposed = typed(await page(admin, f"{path}?country=DE&subdivision=&year=2026"), "exceptions")
    assert {"2026-12-26", "2026-12-25 10:00-11:00"} <= set(proposed.splitlines())
    assert typed(await page(admin, path), "exceptions") == "2026-12-25 10:00-11:00"


async def test_a_webhook_is_paused_tested_rotated_and_deleted(admin: httpx2.AsyncClient) -> None:
    url = f"https://hooks.example.com/{unique()}"
    created = await post(admin, "admin/webhooks", url=url, detail="thin", max_in_flight="4", types=["ticket.created"])
    assert "whsec_" in created.text
    path = f"admin/webhooks/{await key_of(admin, 'webhooks', url)}"
    assert (await post(admin, f"{path}/pause")).status_code == 303
    assert "paused" in words_of(await page(admin, path))
    assert (await post(admin, f"{path}/resume")).status_code == 303
    tested = await post(admin, f"{path}/test")
    assert "The receiver did not accept the event." in words_of(tested.text)
    version = value_of(await page(admin, path), "version")
    rotated = await post(admin, f"{path}/rotate", version=version)
    assert "whsec_" in rotated.text
    stale = await post(admin, f"{path}/delete", version=version)
    assert stale.status_code == 412
    assert (await post(admin, f"{path}/delete", version=value_of(stale.text, "version"))).status_code == 303
    assert (await admin.get(f"/desk/{path}")).status_code == 404


async def test_the_log_of_deliveries_is_listed_and_sent_again(admin: httpx2.AsyncClient) -> None:
    url = f"https://hooks.example.com/{unique()}"
    await post(admin, "admin/webhooks", url=url, detail="thin", max_in_flight="4")
    path = f"admin/webhooks/{await key_of(admin, 'webhooks', url)}"
    assert "There are no deliveries here." in words_of(await page(admin, f"{path}/deliveries?state=dead"))
    started = await post(admin, f"{path}/replay", since="2026-01-02", only_dead="true")
    assert started.status_code == 303
    shown = await page(admin, started.headers["Location"].partition("/desk/")[2])
    assert "Replay:" in words_of(shown)
    assert (await post(admin, f"{path}/replay", since="")).status_code == 422
    assert (await post(admin, f"{path}/replay-delivery", delivery="999999")).status_code == 404


@pytest.mark.parametrize("path", ["", "/people", "/people/new", "/webhooks/1/deliveries"])
async def test_agents_are_refused_and_have_no_link(site: Site, path: str) -> None:
    async with signed_in(site.app, await new_account(site.app, Role.AGENT)) as agent:
        refused = await agent.get(f"/desk/admin{path}")
        assert refused.status_code == 403
        assert "desk/admin" not in await page(agent, "tickets")


async def test_admins_find_every_area(admin: httpx2.AsyncClient) -> None:
    assert "desk/admin" in await page(admin, "tickets")
    index = await page(admin, "admin")
    for slug in AREAS:
        assert f"desk/admin/{slug}" in index
        await page(admin, f"admin/{slug}")
    for path in ("nothing", "nothing/new", "people/person:0", "tags/new", "keys/x/delete", "groups/1/nothing"):
        assert (await admin.get(f"/desk/admin/{path}")).status_code == 404, path


async def test_hostile_names_stay_text(admin: httpx2.AsyncClient) -> None:
    name = f"<script>alert('{unique()}')</script>"
    assert (await post(admin, "admin/groups", name=name)).status_code == 303
    html = await page(admin, "admin/groups")
    assert "<script>alert" not in html
    assert name in unescape(html)
