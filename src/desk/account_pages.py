"""The logic of the pages of an account."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response
from markupsafe import Markup

from core.sign_in_errors import SignInRefused
from desk.forms import Form, ticket_number
from desk.page_session import required_session
from desk.session_cookie import SESSION
from desk.sign_in_request import SignInRequest
from desk.sign_in_words import METHODS, message_of, status_of
from desk.times import Clock, ShownTime
from desk.viewer import Viewer, viewer_of
from services.access.principal import Principal
from services.sign_in.account import Account
from services.sign_in.second_factors import uri_of
from services.sign_in.sessions import ListedSession, LiveSession

ACCOUNT: Final = "/my/account"
SIGN_IN: Final = "/sign-in"


@dataclass(frozen=True, slots=True)
class AccountOwner:
    """A signed-in person, with a request for a page of the account."""

    asked: SignInRequest
    viewer: Viewer
    session: LiveSession

    @property
    def account(self) -> Account:
        """The service of accounts."""
        return self.asked.services.account


async def _owner(request: Request) -> AccountOwner:
    session = required_session(request.scope)
    viewer = await viewer_of(request)
    return AccountOwner(SignInRequest(request, viewer), viewer, session)


Owner = Annotated[AccountOwner, Depends(_owner)]


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session in the list."""

    id: int
    method: str
    browser: str
    address: str
    created: ShownTime
    seen: ShownTime
    is_this: bool


def first_page_of(principal: Principal) -> str:
    """Return the page that a person sees first, without the leading slash."""
    return "desk" if principal.requester_email is None else "my/tickets"


async def account_page(owner: AccountOwner, error: SignInRefused | None = None) -> Response:
    """Return the account, perhaps with the reason why a change was refused."""
    state = await owner.account.state(owner.session)
    secret = state.prepared_secret
    context: dict[str, Any] = {
        "state": state,
        "message": None if error is None else message_of(error, owner.viewer.language),
        "secret": None if secret is None else " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "qr_code": None if secret is None else _qr_code(uri_of(secret, state.email or state.name)),
        "sessions": _shown(owner, state.sessions),
    }
    return owner.asked.page("account.html", context, 200 if error is None else status_of(error))


async def change_password(owner: AccountOwner) -> Response:
    """Change the password."""
    form = await owner.asked.form()
    new, repeated = form.text("new_password"), form.text("repeated")
    change = owner.account.change_password(owner.session, form.text("password"), new, repeated, owner.asked.browser)
    return await _changed(owner, change)


async def prepare_second_factor(owner: AccountOwner) -> Response:
    """Make the secret of a second factor."""
    password = (await owner.asked.form()).text("password")
    return await _changed(owner, owner.account.prepare_second_factor(owner.session, password, owner.asked.browser))


async def remove_second_factor(owner: AccountOwner) -> Response:
    """Remove the second factor."""
    password = (await owner.asked.form()).text("password")
    return await _changed(owner, owner.account.remove_second_factor(owner.session, password, owner.asked.browser))


async def confirm_second_factor(owner: AccountOwner) -> Response:
    """Confirm the second factor by its first code."""
    form: Form = await owner.asked.form()
    return await _with_codes(owner, owner.account.confirm_second_factor(owner.session, form.text("code")))


async def renew_recovery_codes(owner: AccountOwner) -> Response:
    """Replace the recovery codes."""
    password = (await owner.asked.form()).text("password")
    return await _with_codes(owner, owner.account.renew_recovery_codes(owner.session, password, owner.asked.browser))


async def end_session(owner: AccountOwner, number: str) -> Response:
    """End a session of the person. Raises RequestValidationError."""
    session_id = ticket_number(number)
    await owner.account.end_session(owner.session, session_id)
    return owner.asked.redirect(SIGN_IN if session_id == owner.session.id else ACCOUNT)


async def end_other_sessions(owner: AccountOwner) -> Response:
    """End every session of the person but this one."""
    await owner.account.end_other_sessions(owner.session)
    return owner.asked.redirect(ACCOUNT)


async def sign_out(owner: AccountOwner) -> Response:
    """End this session."""
    await owner.account.end_session(owner.session, owner.session.id)
    return owner.asked.without_cookie(owner.asked.redirect(SIGN_IN), SESSION)


async def _changed(owner: AccountOwner, change: Awaitable[None]) -> Response:
    try:
        await change
    except SignInRefused as error:
        return await account_page(owner, error)
    return owner.asked.redirect(ACCOUNT)


async def _with_codes(owner: AccountOwner, change: Awaitable[Sequence[str]]) -> Response:
    try:
        codes = await change
    except SignInRefused as error:
        return await account_page(owner, error)
    return owner.asked.page("recovery_codes.html", {"codes": codes})


def _qr_code(uri: str) -> Markup:
    """Return a QR code as SVG. Its colours are fixed: scanners need dark on light."""
    import segno  # noqa: PLC0415 - imported only if it is used: it takes 0.8 MB of memory

    svg = segno.make(uri, error="m").svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True)
    return Markup(svg)  # noqa: S704 - of shapes alone; the URI is in none of its texts


def _shown(owner: AccountOwner, listed: Sequence[ListedSession]) -> Sequence[ShownSession]:
    clock = Clock(owner.viewer.language, owner.viewer.zone, datetime.now(UTC))
    return [
        ShownSession(
            each.id,
            owner.viewer.language.gettext(METHODS[each.method]),
            each.user_agent,
            each.address,
            clock.show(each.created_at),
            clock.show(each.seen_at),
            each.id == owner.session.id,
        )
        for each in listed
    ]
