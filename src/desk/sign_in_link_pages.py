"""The logic of the page of the links for requesters."""

from fastapi import Response

from core.sign_in_errors import SignInRefused
from desk.desk_request import DeskRequest
from desk.sign_in_request import SignInRequest
from desk.sign_in_words import message_of, status_of

LINK = "/sign-in/link?token="


def form_page(
    asked: DeskRequest, email: str, *, link: str | None = None, error: SignInRefused | None = None
) -> Response:
    """Return the form, with a new link if there is one."""
    message = None if error is None else message_of(error, asked.viewer.language)
    context = {"email": email, "link": link, "message": message}
    return asked.page("sign_in_links.html", context, 200 if error is None else status_of(error))


async def make_link(asked: DeskRequest) -> Response:
    """Make a link for the requester with the address of the form."""
    request = SignInRequest(asked.request, asked.viewer)
    email = (await asked.form()).text("email")
    try:
        token = await request.services.links.for_requester(email, asked.principal)
    except SignInRefused as error:
        return form_page(asked, email, error=error)
    return form_page(asked, email, link=request.url(f"{LINK}{token}"))
