"""The messages of the desk about a refused sign-in."""

from collections.abc import Mapping
from typing import Final

from core.sign_in_errors import Refusal, SignInRefused, TooManyAttempts
from desk.languages import N_, Language
from models import SignInMethod

REFUSALS: Final[Mapping[Refusal, str]] = {
    Refusal.WRONG_PASSWORD: N_("The email address or the password is wrong."),
    Refusal.WRONG_CODE: N_("The code is wrong, or was used already."),
    Refusal.STEP_EXPIRED: N_("That took too long. Begin again with your password."),
    Refusal.INVALID_LINK: N_("This link was used already, or has expired. Ask for a new one."),
    Refusal.INVALID_SET_UP_TOKEN: N_("This is not the set-up code. Look at the terminal of the service."),
    Refusal.SET_UP_CLOSED: N_("The service is set up already. Sign in, or ask an admin for an account."),
    Refusal.PASSWORD_OFF: N_("Passwords are switched off here. Sign in at your organization."),
    Refusal.SHORT_PASSWORD: N_("The new password must have 12 to 256 characters."),
    Refusal.PASSWORD_IS_NAME: N_("The new password must not be your name or your email address."),
    Refusal.PASSWORDS_DIFFER: N_("The new passwords are not the same."),
    Refusal.INVALID_NAME: N_("Enter a name of up to 100 characters."),
    Refusal.INVALID_EMAIL: N_("Enter a valid email address."),
    Refusal.NO_REQUESTER: N_("No requester of a ticket has this email address."),
    Refusal.TOO_MANY: N_("Too many attempts failed. Wait a moment, and try again."),
    Refusal.SIGN_IN_AGAIN: N_("Sign out and sign in again first: this needs a new sign-in."),
    Refusal.NO_SECOND_FACTOR: N_("The second factor has changed in the meantime. Look at your account again."),
    Refusal.ISSUER_REFUSED: N_("Your organization did not sign you in. Try again."),
    Refusal.ISSUER_UNAVAILABLE: N_("The sign-in of your organization does not respond. Try again in a moment."),
    Refusal.NO_ACCOUNT: N_("You have no account here, or it is deactivated. Ask an admin."),
}
METHODS: Final[Mapping[SignInMethod, str]] = {
    SignInMethod.SET_UP: N_("set-up"),
    SignInMethod.PASSWORD: N_("password"),
    SignInMethod.LINK: N_("link"),
    SignInMethod.OIDC: N_("organization"),
}


def message_of(error: SignInRefused, language: Language) -> str:
    """Return the message about a refused sign-in."""
    return language.gettext(REFUSALS[error.reason])


def status_of(error: SignInRefused) -> int:
    """Return the status of the page that shows a refused sign-in."""
    return 429 if isinstance(error, TooManyAttempts) else 422
