"""People, in requests and in responses."""

import zoneinfo
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from models import Role, RoleSource
from models.principal import NAME_MAX_LENGTH
from schemas.fields import ID_MAX, Email, Name, Storable, plain_number, plain_truth, text_schema
from schemas.lists import Paging
from schemas.pages import NextCursor
from schemas.request_body import MergePatch, RequestBody, without_default

ZONE_MAX_LENGTH: Final = 64
LANGUAGE_MAX_LENGTH: Final = 35

# Files of a system that name no zone of the IANA.
_NO_ZONES: Final = frozenset({"localtime", "Factory"})


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) - _NO_ZONES | {"UTC"}


def _zone(value: str) -> str:
    if value not in _zones():
        raise PydanticCustomError("zone", "must be a time zone of the IANA database, such as Europe/Berlin")
    return value


Zone = Annotated[
    str,
    StringConstraints(max_length=ZONE_MAX_LENGTH),
    AfterValidator(_zone),
]
Language = Annotated[
    str,
    StringConstraints(max_length=LANGUAGE_MAX_LENGTH, pattern="^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"),
]
PersonRole = Literal[Role.ADMIN, Role.AGENT, Role.REQUESTER]

_ZONE: Final = "The time zone, by its name in the IANA database."
_LANGUAGE: Final = "The language, as a tag of BCP 47."
_ROLE: Final = "The role: what the person may do."


class PersonCreate(RequestBody):
    """A new person."""

    name: Annotated[Name, Field(description="The name.")]
    email: Annotated[Email, Field(description="The email address. No two people have the same one, whatever its case.")]
    role: PersonRole = Field(description=_ROLE, examples=["agent"])
    zone: Zone = Field(default="UTC", description=_ZONE, examples=["Europe/Berlin"])
    language: Language = Field(default="en", description=_LANGUAGE, examples=["en-GB"])


class PersonPatch(MergePatch):
    """A JSON merge patch (RFC 7396): the fields that are present replace the stored values.

    At least one is required.
    """

    name: Annotated[Name, Field(description="The new name.")] = Field(default="", json_schema_extra=without_default)
    email: Annotated[Email, Field(description="The new email address.")] = Field(
        default="", json_schema_extra=without_default
    )
    role: PersonRole = Field(
        default=Role.AGENT,
        json_schema_extra=without_default,
        description="The new role. It stays until a token of the person names another one.",
        examples=["admin"],
    )
    zone: Zone = Field(default="", json_schema_extra=without_default, description=_ZONE, examples=["Europe/Berlin"])
    language: Language = Field(default="", json_schema_extra=without_default, description=_LANGUAGE, examples=["en-GB"])
    active: Annotated[bool, Field(strict=True)] = Field(
        default=True,
        json_schema_extra=without_default,
        description="False deactivates the person: their keys and tokens are refused within 10 s. True reverses it.",
    )


class Person(BaseModel):
    """A person."""

    id: str = Field(description="The id, which events name as `actor`; it never changes.", examples=["person:1"])
    name: str = Field(description="The name.", examples=["Alice Liddell"])
    email: str | None = Field(
        description="The email address; null if the token of the person has no verified one.",
        examples=["alice@example.com"],
    )
    role: Role = Field(description=_ROLE, examples=["agent"])
    role_source: RoleSource = Field(
        description="Where the role comes from. `admin`: it was set over this API; `token`: a token named it.",
        examples=["admin"],
    )
    zone: str = Field(description=_ZONE, examples=["Europe/Berlin"])
    language: str = Field(description=_LANGUAGE, examples=["en-GB"])
    active: bool = Field(description="False if the person is deactivated.", examples=[True])
    version: int = Field(description="Starts at 1. Each change adds 1. Also sent as the `ETag`.", examples=[1])
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=["2026-03-02T12:31:07.120345Z"])
    updated_at: datetime = Field(
        description="The time of the last change, in UTC.", examples=["2026-03-02T12:31:07.120345Z"]
    )
    deactivated_at: datetime | None = Field(
        description="The time of the deactivation, in UTC; null while the person is active.",
        examples=["2026-03-02T13:02:15.002731Z"],
    )


class PersonPage(BaseModel):
    """A page of people."""

    items: list[Person] = Field(description="The people, in the order of their creation.")
    next_cursor: NextCursor


class PeopleQuery(Paging):
    """The page of a list of people: filters, all of which apply."""

    role: Role | None = Field(default=None, description="People with this role.", examples=["agent"])
    active: Annotated[bool, BeforeValidator(plain_truth)] | None = Field(
        default=None, description="True for active people, false for deactivated ones.", examples=[True]
    )
    # The bounds precede the validator, so that they are part of the documented schema.
    group: Annotated[int, Field(ge=1, le=ID_MAX), BeforeValidator(plain_number)] | None = Field(
        default=None, description="Members of the group with this id.", examples=[1]
    )
    q: (
        Annotated[str, Field(min_length=1, max_length=NAME_MAX_LENGTH), Storable, text_schema(NAME_MAX_LENGTH, "ali")]
        | None
    ) = Field(
        default=None,
        description="People whose name or email address begins with this text. The comparison ignores case.",
        examples=["ali"],
    )
