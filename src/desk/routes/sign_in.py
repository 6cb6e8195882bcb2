"""The sign-in: with a password, a second factor, a link, or at the OIDC issuer."""

from fastapi import APIRouter, Response

from desk import sign_in_pages
from desk.sign_in_request import Sent

router = APIRouter(prefix="/sign-in")


@router.get("")
async def show_sign_in(sent: Sent, next: str = "") -> Response:  # noqa: A002 - the name in the URL
    """Show the ways to sign in."""
    return await sign_in_pages.sign_in_page(sent, next_path=next)


@router.post("")
async def sign_in(sent: Sent) -> Response:
    """Sign in with a password."""
    return await sign_in_pages.sign_in(sent)


@router.post("/code")
async def confirm(sent: Sent) -> Response:
    """Confirm the password with a second factor."""
    return await sign_in_pages.confirm(sent)


@router.get("/link")
async def show_link(sent: Sent, token: str = "") -> Response:
    """Show the button that uses a link; the link stays valid until then."""
    return sign_in_pages.link_page(sent, token)


@router.post("/link")
async def use_link(sent: Sent) -> Response:
    """Sign in with a link."""
    return await sign_in_pages.use_link(sent)


@router.get("/sso")
async def leave_for_issuer(sent: Sent, next: str = "") -> Response:  # noqa: A002 - the name in the URL
    """Send the browser to the OIDC issuer."""
    return await sign_in_pages.leave_for_issuer(sent, next)


@router.get("/callback")
async def return_from_issuer(sent: Sent, state: str = "", code: str = "") -> Response:
    """Sign in with the response of the OIDC issuer."""
    return await sign_in_pages.return_from_issuer(sent, state, code)
