"""The logic of the pages of the sign-in: with a password, a second factor, a link, or at the OIDC issuer."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Response

from api.paths import DESK
from core.sign_in_errors import Refusal, SignInRefused, TooManyAttempts
from desk.kept_forms import fields_of
from desk.local_paths import local_path
from desk.session_cookie import SESSION, STATE
from desk.sign_in_request import SignInRequest
from desk.sign_in_words import message_of, status_of
from services.sign_in.passwords import SecondFactorNeeded, SignedIn

CALLBACK = "/sign-in/callback"


async def sign_in_page(
    asked: SignInRequest,
    *,
    next_path: str,
    kept: str = "",
    email: str = "",
    error: SignInRefused | None = None,
    status: int = 200,
) -> Response:
    """Return the page with the ways to sign in, and with the form that was refused without a session, if any."""
    context = {
        "next": local_path(next_path),
        "kept": kept,
        "kept_fields": fields_of(kept),
        "typed": _typed(fields_of(kept)),
        "email": email,
        "message": None if error is None else message_of(error, asked.language),
        "is_password_on": asked.services.passwords.is_on,
        "has_issuer": asked.services.oidc is not None,
        "is_set_up_open": await asked.services.set_up.is_open(),
        "may_sign_in": asked.may_sign_in,
    }
    return _with_retry(asked.page("sign_in.html", context, status if error is None else status_of(error)), error)


async def sign_in(asked: SignInRequest) -> Response:
    """Begin a session with the password of the form, or ask for the second factor."""
    form = await asked.form()
    next_path, kept = local_path(form.text("next")), form.text("kept")
    if not asked.may_sign_in:
        return await sign_in_page(asked, next_path=next_path, kept=kept, status=403)
    email = form.text("email").strip()
    try:
        result = await asked.services.passwords.sign_in(
            email, form.text("password"), asked.browser, former_token=asked.former_token
        )
    except SignInRefused as error:
        return await sign_in_page(asked, next_path=next_path, kept=kept, email=email, error=error)
    if isinstance(result, SecondFactorNeeded):
        return _second_factor_page(asked, result.token, form)
    return _signed_in(asked, result, next_path, kept)


async def confirm(asked: SignInRequest) -> Response:
    """Begin a session with the code of the form."""
    form = await asked.form()
    step, code = form.text("step"), form.text("code")
    try:
        result = await asked.services.passwords.confirm(step, code, asked.browser, former_token=asked.former_token)
    except SignInRefused as error:
        if error.reason in {Refusal.WRONG_CODE, Refusal.TOO_MANY}:
            return _second_factor_page(asked, step, form, error)
        return await sign_in_page(asked, next_path=form.text("next"), kept=form.text("kept"), error=error)
    return _signed_in(asked, result, local_path(form.text("next")), form.text("kept"))


def link_page(asked: SignInRequest, token: str, error: SignInRefused | None = None) -> Response:
    """Return the page with the button that uses a link: programs that open the links of mails press no button."""
    context = {
        "token": token,
        "message": None if error is None else message_of(error, asked.language),
        "may_sign_in": asked.may_sign_in,
    }
    return asked.page("link.html", context, 200 if error is None else status_of(error))


async def use_link(asked: SignInRequest) -> Response:
    """Begin a session with the link of the form."""
    token = (await asked.form()).text("token").strip()
    if not asked.may_sign_in:
        return link_page(asked, token)
    try:
        result = await asked.services.links.use(token, asked.browser, former_token=asked.former_token)
    except SignInRefused as error:
        return link_page(asked, "", error)
    return _signed_in(asked, result, local_path(""), "")


async def leave_for_issuer(asked: SignInRequest, next_path: str) -> Response:
    """Send the browser to the issuer."""
    if asked.services.oidc is None or not asked.may_sign_in:
        return await sign_in_page(asked, next_path=next_path)
    try:
        departure = await asked.services.oidc.begin(asked.url(CALLBACK), local_path(next_path))
    except SignInRefused as error:
        return await sign_in_page(asked, next_path=next_path, error=error)
    response = asked.redirect("/sign-in")
    response.headers["Location"] = departure.url
    return asked.with_cookie(response, STATE, departure.state)


async def return_from_issuer(asked: SignInRequest, state: str, code: str) -> Response:
    """Begin a session with the code of the issuer."""
    if asked.services.oidc is None:
        return await sign_in_page(asked, next_path="")
    try:
        arrival = await asked.services.oidc.finish(
            state, code, asked.browser, own_state=asked.cookie(STATE), former_token=asked.former_token
        )
    except SignInRefused as error:
        return asked.without_cookie(await sign_in_page(asked, next_path="", error=error), STATE)
    response = asked.without_cookie(asked.redirect(arrival.next_path), STATE)
    return asked.with_cookie(response, SESSION, arrival.token)


def _second_factor_page(
    asked: SignInRequest, step: str, form: Mapping[str, str], error: SignInRefused | None = None
) -> Response:
    context: dict[str, Any] = {
        "step": step,
        "next": local_path(form.get("next", "")),
        "kept": form.get("kept", ""),
        "message": None if error is None else message_of(error, asked.language),
    }
    return _with_retry(asked.page("second_factor.html", context, 200 if error is None else status_of(error)), error)


def _signed_in(asked: SignInRequest, result: SignedIn, next_path: str, kept: str) -> Response:
    """Return the way to the page that the person wanted, or the form that was kept, to be sent again."""
    fields = fields_of(kept)
    if fields and next_path in DESK:
        context = {"path": next_path, "fields": fields, "typed": _typed(fields)}
        response = asked.page("send_again.html", context)
    else:
        response = asked.redirect(next_path)
    return asked.with_cookie(response, SESSION, result.token)


def _typed(fields: Sequence[tuple[str, str]]) -> str:
    """Return the text of a form, or its longest field."""
    return dict(fields).get("text") or max((value for _, value in fields), key=len, default="")


def _with_retry(response: Response, error: SignInRefused | None) -> Response:
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
