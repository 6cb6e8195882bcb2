"""The account of a person: password, second factor, recovery codes, sessions."""

from fastapi import APIRouter, Response

from desk import account_pages
from desk.account_pages import Owner
from desk.desk_request import Asked

router = APIRouter(prefix="/my")


@router.get("")
async def home(asked: Asked) -> Response:
    """Lead to the first page of the role."""
    return asked.redirect(account_pages.first_page_of(asked.principal))


@router.get("/account")
async def show_account(owner: Owner) -> Response:
    """Show the account."""
    return await account_pages.account_page(owner)


@router.post("/account/password")
async def change_password(owner: Owner) -> Response:
    """Change the password, or set the first one."""
    return await account_pages.change_password(owner)


@router.post("/account/second-factor")
async def prepare_second_factor(owner: Owner) -> Response:
    """Show the secret of a new second factor."""
    return await account_pages.prepare_second_factor(owner)


@router.post("/account/second-factor/confirmation")
async def confirm_second_factor(owner: Owner) -> Response:
    """Begin to require the second factor, and show the recovery codes."""
    return await account_pages.confirm_second_factor(owner)


@router.post("/account/second-factor/removal")
async def remove_second_factor(owner: Owner) -> Response:
    """Require no second factor from now on."""
    return await account_pages.remove_second_factor(owner)


@router.post("/account/recovery-codes")
async def renew_recovery_codes(owner: Owner) -> Response:
    """Show new recovery codes."""
    return await account_pages.renew_recovery_codes(owner)


@router.post("/account/sessions/others")
async def end_other_sessions(owner: Owner) -> Response:
    """End every session but this one."""
    return await account_pages.end_other_sessions(owner)


@router.post("/account/sessions/{number}")
async def end_session(owner: Owner, number: str) -> Response:
    """End one session."""
    return await account_pages.end_session(owner, number)


@router.post("/sign-out")
async def sign_out(owner: Owner) -> Response:
    """End this session."""
    return await account_pages.sign_out(owner)
