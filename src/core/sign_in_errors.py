"""The reasons for which a sign-in is refused. Pages show them; the API has no such responses.

SignInRefused         a value of the form is wrong, or does not fit
└── TooManyAttempts   the limit of failed attempts of the account or of the address is reached
"""

from enum import StrEnum


class Refusal(StrEnum):
    """The reasons."""

    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - the name of a reason
    """The account is unknown, has no password, or has another one: these are not told apart."""
    WRONG_CODE = "wrong_code"
    """The code is wrong, or was used already."""
    STEP_EXPIRED = "step_expired"
    """The time between the password and the second factor was too long."""
    INVALID_LINK = "invalid_link"
    """The link is unknown, expired or used."""
    INVALID_SET_UP_TOKEN = "invalid_set_up_token"  # noqa: S105 - the name of a reason
    """The token of the set-up is wrong."""
    SET_UP_CLOSED = "set_up_closed"
    """The service was set up already."""
    PASSWORD_OFF = "password_off"  # noqa: S105 - the name of a reason
    """People sign in at the OIDC issuer only."""
    SHORT_PASSWORD = "short_password"  # noqa: S105 - the name of a reason
    """The new password is too short or too long."""
    PASSWORD_IS_NAME = "password_is_name"  # noqa: S105 - the name of a reason
    """The new password is the email address or the name of the person."""
    PASSWORDS_DIFFER = "passwords_differ"
    """The new password and its repetition are different."""
    INVALID_NAME = "invalid_name"
    """The name is empty, too long, or not printable."""
    INVALID_EMAIL = "invalid_email"
    """This is no email address."""
    NO_REQUESTER = "no_requester"
    """No requester of a ticket has this email address, or it is that of an agent or admin."""
    TOO_MANY = "too_many"
    """Too many attempts failed."""
    SIGN_IN_AGAIN = "sign_in_again"
    """The change requires a new sign-in: the person has no password, and the session is not new."""
    NO_SECOND_FACTOR = "no_second_factor"
    """The person has no second factor, or no prepared one."""
    ISSUER_REFUSED = "issuer_refused"
    """The OIDC issuer did not sign the person in, or its response is not valid."""
    ISSUER_UNAVAILABLE = "issuer_unavailable"
    """The OIDC issuer does not respond."""
    NO_ACCOUNT = "no_account"
    """The person of the token is deactivated, or the token has neither a role nor a verified email address."""


class SignInRefused(Exception):
    """A value of the form is wrong, or does not fit; `reason` names it."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


class TooManyAttempts(SignInRefused):
    """The limit of failed attempts is reached: the next one is possible after `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(Refusal.TOO_MANY)
        self.retry_after_s = retry_after_s
