"""The kinds of field the bodies are made of: text, e-mail address, identifier."""

import re
from typing import Annotated, Final

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from models import ticket

ID_MAX = 2**63 - 1
EMAIL_MAX_LENGTH = ticket.EMAIL_MAX_LENGTH

# As many digits as an id can have, and no zero in front.
_PLAIN_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")

# Refused by default as nothing the public Internet can deliver to; the mail of many a closed network ends so.
_PRIVATE_DOMAIN = "local"
if _PRIVATE_DOMAIN in SPECIAL_USE_DOMAIN_NAMES:
    SPECIAL_USE_DOMAIN_NAMES.remove(_PRIVATE_DOMAIN)


def _storable(value: str) -> str:
    """Keep text exactly as sent, refusing what says nothing and what PostgreSQL can not hold."""
    if all(character.isspace() or not character.isprintable() for character in value):
        raise PydanticCustomError("blank", "must not be blank")
    if "\0" in value:
        raise PydanticCustomError("nul_character", "must not contain the NUL character")
    return value


def _email(value: str) -> str:
    """Return the address in its normal form: the domain in lower case, characters composed."""
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        raise PydanticCustomError("email", "must be a valid email address") from None


def normal_email(sent: str) -> str:
    """Return an address in the form it is stored in; what is no address is looked for as it is, in vain."""
    try:
        return _email(sent)
    except PydanticCustomError:
        return sent


def plain_number(sent: object) -> object:
    """Refuse what Python would also read as a number (`+1`, `1_0`, ` 1`, `1.0`), so that each has one spelling."""
    if isinstance(sent, str) and not _PLAIN_NUMBER.fullmatch(sent):
        raise PydanticCustomError("number", "must be a whole number in plain digits")
    return sent


Storable = AfterValidator(_storable)


def said_of_text(max_length: int, example: str) -> WithJsonSchema:
    """Say what a pattern can say of `_storable`: no NUL. What is blank is beyond words that every tool knows."""
    return WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": max_length,
            "pattern": r"^[^\u0000]*$",
            "examples": [example],
        }
    )


Subject = Annotated[
    str,
    Field(min_length=1, max_length=ticket.SUBJECT_MAX_LENGTH),
    Storable,
    said_of_text(ticket.SUBJECT_MAX_LENGTH, "The printer is on fire"),
]
Text = Annotated[
    str,
    Field(min_length=1, max_length=ticket.TEXT_MAX_LENGTH),
    Storable,
    said_of_text(ticket.TEXT_MAX_LENGTH, "It started after lunch."),
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
