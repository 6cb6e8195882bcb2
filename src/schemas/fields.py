"""Field types that several models share: text, email address, whole number."""

import re
from typing import Annotated, Final

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from models import principal, ticket

ID_MAX = 2**63 - 1
EMAIL_MAX_LENGTH = ticket.EMAIL_MAX_LENGTH

# At most as many digits as an id can have, without a leading zero.
_PLAIN_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_TRUTH: Final = re.compile("true|false")

# email-validator rejects this domain because the public Internet cannot deliver to it; many private networks use it.
_PRIVATE_DOMAIN = "local"
if _PRIVATE_DOMAIN in SPECIAL_USE_DOMAIN_NAMES:
    SPECIAL_USE_DOMAIN_NAMES.remove(_PRIVATE_DOMAIN)


# White space, control and format characters of Unicode 17. The tables of the interpreter do not know newer characters
# than its own version: a text of one of them would be blank.
_BLANK: Final = re.compile(
    "[\\x00-\\x20\\x7f-\\xa0\\xad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u1680\\u180e\\u2000-\\u200f"
    "\\u2028-\\u202f\\u205f-\\u2064\\u2066-\\u206f\\u3000\\ufeff\\ufff9-\\ufffb\\U000110bd\\U000110cd"
    "\\U00013430-\\U0001343f\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0001\\U000e0020-\\U000e007f]*"
)


# Marks of the direction of writing are left out too: they would change how the text around the name is shown.
_ONE_LINE_PATTERN: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*$"
_ONE_LINE: Final = re.compile(_ONE_LINE_PATTERN)


def storable_text(value: str) -> str:
    """Return text unchanged; refuse blank text, and NUL, which PostgreSQL cannot store."""
    if "\0" in value:
        raise PydanticCustomError("nul_character", "must not contain the NUL character")
    if _BLANK.fullmatch(value):
        raise PydanticCustomError("blank", "must not be blank")
    return value


def _email(value: str) -> str:
    """Return the address in its normal form: the domain in lower case, characters composed."""
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        raise PydanticCustomError("email", "must be a valid email address") from None


def normal_domain(value: str) -> str:
    """Return the domain of an email address in the form in which addresses are stored."""
    try:
        return _email(f"a@{value}").rpartition("@")[2]
    except PydanticCustomError:
        raise PydanticCustomError("domain", "must be a domain that email addresses have") from None


def normal_email(address: str) -> str:
    """Return an address in the form in which it is stored, or unchanged if it is not a valid address."""
    try:
        return _email(address)
    except PydanticCustomError:
        return address


def email_or_none(text: str) -> str | None:
    """Return an address in the form in which it is stored; None for a text that is no valid address."""
    try:
        return _email(text)
    except PydanticCustomError:
        return None


def plain_number(value: object) -> object:
    """Refuse other spellings that Python reads as a number (`+1`, `1_0`, ` 1`, `1.0`): each number has one spelling."""
    if isinstance(value, str) and not _PLAIN_NUMBER.fullmatch(value):
        raise PydanticCustomError("number", "must be a whole number in plain digits")
    return value


def plain_truth(value: object) -> object:
    """Refuse other spellings that pydantic reads as a boolean (`1`, `yes`, `on`): each value has one spelling."""
    if isinstance(value, str) and not _TRUTH.fullmatch(value):
        raise PydanticCustomError("boolean", "must be true or false")
    return value


def _name(value: str) -> str:
    """Return a name without white space around it; refuse blank text and control characters, such as line breaks."""
    if _BLANK.fullmatch(value):
        raise PydanticCustomError("blank", "must not be blank")
    if not _ONE_LINE.fullmatch(value):
        raise PydanticCustomError("control_character", "must not contain control characters or marks of direction")
    return value.strip()


Storable = AfterValidator(storable_text)


def text_schema(
    max_length: int, example: str, *, min_length: int = 1, pattern: str = r"^[^\u0000]*$"
) -> WithJsonSchema:
    """Return the JSON Schema of `Storable` text.

    The pattern excludes NUL. No pattern that every tool understands excludes blank text.
    """
    return WithJsonSchema(
        {
            "type": "string",
            "minLength": min_length,
            "maxLength": max_length,
            "pattern": pattern,
            "examples": [example],
        }
    )


Subject = Annotated[
    str,
    Field(
        min_length=1,
        max_length=ticket.SUBJECT_MAX_LENGTH,
        description="The subject. Stored as sent; must not be blank.",
    ),
    Storable,
    text_schema(ticket.SUBJECT_MAX_LENGTH, "The printer is on fire"),
]
Text = Annotated[
    str,
    Field(min_length=1, max_length=ticket.TEXT_MAX_LENGTH, description="The text. Stored as sent; must not be blank."),
    Storable,
    text_schema(ticket.TEXT_MAX_LENGTH, "It started after lunch."),
]
Name = Annotated[
    str,
    Field(min_length=1, max_length=principal.NAME_MAX_LENGTH),
    AfterValidator(_name),
    text_schema(principal.NAME_MAX_LENGTH, "Alice Liddell", pattern=_ONE_LINE_PATTERN),
]
Email = Annotated[
    str,
    Field(max_length=EMAIL_MAX_LENGTH),
    AfterValidator(_email),
    WithJsonSchema(
        {
            "type": "string",
            "format": "email",
            "maxLength": EMAIL_MAX_LENGTH,
            "examples": ["alice@example.com"],
        }
    ),
]
