"""Principals: the names behind the ids in events, and the caller."""

from pydantic import BaseModel, Field

from models import PrincipalKind, Role, Scope
from schemas.groups import GroupName
from schemas.request_body import without_default


class PrincipalDetails(BaseModel):
    """A principal. A requester gets `id`, `kind` and `name` alone."""

    id: str = Field(description="The id, which events name as `actor`; it never changes.", examples=["person:1"])
    kind: PrincipalKind = Field(
        description="`person`; `service`: a program with an API key; `system`: the service itself, or requests without "
        "credentials.",
        examples=["person"],
    )
    name: str = Field(description="The name.", examples=["Alice Liddell"])
    email: str | None = Field(
        default=None,
        json_schema_extra=without_default,
        description="The email address; null without one.",
        examples=["alice@example.com"],
    )
    role: Role = Field(
        default=Role.AGENT, json_schema_extra=without_default, description="The role.", examples=["agent"]
    )
    active: bool = Field(
        default=True,
        json_schema_extra=without_default,
        description="False if the principal is deactivated.",
        examples=[True],
    )


class Me(BaseModel):
    """The caller."""

    id: str = Field(description="The id, which events name as `actor`.", examples=["person:1"])
    kind: PrincipalKind = Field(
        description="`person`; `service`: a program with an API key; `system`: requests without credentials.",
        examples=["person"],
    )
    name: str = Field(description="The name.", examples=["Alice Liddell"])
    email: str | None = Field(description="The email address; null without one.", examples=["alice@example.com"])
    role: Role = Field(description="The role of these credentials.", examples=["agent"])
    scopes: list[Scope] | None = Field(
        description="The scopes that the API key is restricted to; null for everything that the role permits.",
        examples=[["read", "comment"]],
    )
    zone: str = Field(description="The time zone, by its name in the IANA database.", examples=["Europe/Berlin"])
    language: str = Field(description="The language, as a tag of BCP 47.", examples=["en-GB"])
    groups: list[GroupName] = Field(description="The active groups that the caller is a member of.")
