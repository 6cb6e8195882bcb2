"""The logic of the page of the set-up. Its token is in the fragment of the link, which browsers send to no server."""

from collections.abc import Mapping

from fastapi import Response
from starlette.exceptions import HTTPException

from core.sign_in_errors import Refusal, SignInRefused
from desk.session_cookie import SESSION
from desk.sign_in_request import SignInRequest
from desk.sign_in_words import message_of, status_of
from services.sign_in.new_admin import NewAdmin

HOME = "/my"


async def set_up_page(
    asked: SignInRequest, typed: Mapping[str, str] | None = None, error: SignInRefused | None = None
) -> Response:
    """Return the form. Raises HTTPException (404) when the set-up is closed."""
    if not await asked.services.set_up.is_open():
        raise HTTPException(404)
    context = {
        "typed": {name: (typed or {}).get(name, "") for name in ("token", "name", "email")},
        "message": None if error is None else message_of(error, asked.language),
        "may_sign_in": asked.may_sign_in,
    }
    return asked.page("set_up.html", context, 200 if error is None else status_of(error))


async def claim(asked: SignInRequest) -> Response:
    """Make the admin that the form names, and begin a session. Raises HTTPException (404) when it is closed."""
    form = await asked.form()
    if not asked.may_sign_in:
        return await set_up_page(asked, form)
    new = NewAdmin(
        name=form.text("name").strip(),
        email=form.text("email").strip(),
        password=form.text("password"),
        repeated=form.text("repeated"),
        language=asked.language.tag,
    )
    try:
        result = await asked.services.set_up.claim(
            form.text("token").strip(), new, asked.browser, former_token=asked.former_token
        )
    except SignInRefused as error:
        if error.reason is Refusal.SET_UP_CLOSED:
            raise HTTPException(404) from None
        return await set_up_page(asked, form, error)
    return asked.with_cookie(asked.redirect(HOME), SESSION, result.token)
