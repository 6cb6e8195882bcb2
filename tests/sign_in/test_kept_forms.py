"""A form that arrives after the session has ended: the text is shown, and sent again after the sign-in."""

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest

from desk import kept_forms
from desk.forms import MAX_FIELDS
from sign_in.conftest import Site
from support.desk_pages import words_of
from support.sign_in import PASSWORD, browser_of, field, sign_in

TEXT = 'Dear Alice,\n\nthe printer is <b>on fire</b> & "hot" — не трогайте.\n'
FORM_TYPE = "application/x-www-form-urlencoded"
FORM = {"subject": "Fire", "text": TEXT, "email": "alice@example.com"}


def hidden(html: str, action: str) -> dict[str, str]:
    """Return the hidden fields of the form with an action."""
    form = html.split(f'action="{action}"')[1].split("</form>", maxsplit=1)[0]
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', form)}


async def test_the_text_survives_the_sign_in(site: Site) -> None:
    async with browser_of(site.app) as client:
        asked = await client.post("/desk/tickets", data=FORM)
        assert (asked.status_code, "Nothing is lost" in words_of(asked.text)) == (401, True)
        assert TEXT.strip() in unescape(asked.text)
        assert "<b>on fire" not in asked.text
        kept = {name: field(asked.text, name) for name in ("next", "kept")}
        wrong = await sign_in(client, site.admin, **kept, password="a guess")
        assert (wrong.status_code, field(wrong.text, "kept")) == (422, kept["kept"])
        entered = await sign_in(client, site.admin, **kept)
        assert (entered.status_code, "was not sent yet" in words_of(entered.text)) == (200, True)
        fields = hidden(entered.text, "./desk/tickets")
        assert fields == FORM
        made = await client.post("/desk/tickets", data=fields)
        assert made.status_code == 303
        page = await client.get(made.headers["Location"].replace("..", ""))
        assert "не трогайте" in page.text


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b'{"text": "x"}', "application/json"),
        (b"text=" + b"a" * 2**20, FORM_TYPE),
        (b"text=\xff", FORM_TYPE),
        (b"&".join(b"a=1" for _ in range(MAX_FIELDS + 1)), FORM_TYPE),
    ],
)
async def test_what_is_no_form_is_not_kept(site: Site, content: bytes, content_type: str) -> None:
    async with browser_of(site.app) as client:
        asked = await client.post("/desk/tickets", content=content, headers={"Content-Type": content_type})
        assert (asked.status_code, "Nothing is lost" in asked.text) in {(401, False), (413, False)}


async def test_few_larger_forms_without_a_session_are_read_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_forms, "MAX_LARGE", 0)
    large, small = {"text": "a" * kept_forms.SMALL_BYTES}, {"text": "a"}
    async with browser_of(site.app) as client:
        for path, expected in (("/desk/tickets", 401), ("/sign-in", 422)):
            assert (await client.post(path, data=large)).status_code == 503
            assert (await client.post(path, data=small)).status_code == expected
            chunked = await client.post(
                path, content=parts(), headers={"Content-Type": "application/x-www-form-urlencoded"}
            )
            assert chunked.status_code == 503


async def parts() -> AsyncIterator[bytes]:
    yield b"text=a"


async def test_a_form_with_passwords_is_not_kept(site: Site) -> None:
    form = {"password": PASSWORD, "new_password": "a new password!", "repeated": "a new password!"}
    async with browser_of(site.app) as client:
        asked = await client.post("/my/account/password", data=form)
        assert (asked.status_code, field(asked.text, "next")) == (401, "/my")
        assert "password!" not in asked.text
        assert PASSWORD not in asked.text
