"""API keys, in requests and in responses."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from models import Role, Scope
from schemas.fields import Email, Name
from schemas.groups import PrincipalId
from schemas.lists import Timestamp
from schemas.pages import NextCursor
from schemas.request_body import RequestBody


def _in_future(time: datetime) -> datetime:
    if time <= datetime.now(UTC):
        raise PydanticCustomError("past", "must be in the future")
    return time


class ApiKeyCreate(RequestBody):
    """A new API key: either of a service account (`name`, `role`), or of a person (`principal_id`)."""

    name: Name | None = Field(
        default=None,
        description="The client. All keys of one name are one principal, `key:NAME`.",
        examples=["crm"],
    )
    role: Role | None = Field(
        default=None, description="The role. All keys of one name have the same one.", examples=["agent"]
    )
    email: Email | None = Field(
        default=None,
        description="The email address: required for the role `requester`, and only for that one.",
        examples=["alice@example.com"],
    )
    principal_id: PrincipalId | None = Field(
        default=None,
        description="The id of an active person. The key acts as this person, with the role that the person has.",
        examples=["person:1"],
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] | None = Field(
        default=None,
        description="The scopes that the key is restricted to; `write` includes `comment`. Null or absent: everything "
        "that the role permits.",
        examples=[["read", "comment"]],
    )
    expires_at: Annotated[Timestamp, AfterValidator(_in_future)] | None = Field(
        default=None,
        description="The time from which the key is refused; null or absent: never.",
        examples=["2099-01-01T00:00:00Z"],
    )

    @model_validator(mode="after")
    def _require_one_owner(self) -> Self:
        if self.principal_id is not None:
            if (self.name, self.role, self.email) != (None, None, None):
                raise PydanticCustomError("owner", "must have either principal_id, or name and role")
        elif self.name is None or self.role is None:
            raise PydanticCustomError("owner", "must have either principal_id, or name and role")
        elif (self.role is Role.REQUESTER) != (self.email is not None):
            raise PydanticCustomError("email", "must have email for the role requester, and only for it")
        return self


class ApiKey(BaseModel):
    """An API key, without its secret."""

    id: str = Field(
        description="The id: the part of the key between `tk_` and the next underscore.", examples=["4fPq0Zt9"]
    )
    principal_id: str = Field(description="The principal that the key acts as.", examples=["key:crm"])
    name: str = Field(description="The name of the principal.", examples=["crm"])
    role: Role = Field(description="The role of the principal.", examples=["agent"])
    email: str | None = Field(
        description="The email address of the principal; null without one.", examples=["alice@example.com"]
    )
    scopes: list[Scope] | None = Field(
        description="The scopes that the key is restricted to; null for everything that the role permits.",
        examples=[["read", "comment"]],
    )
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=["2026-03-02T12:31:07.120345Z"])
    expires_at: datetime | None = Field(
        description="The time from which the key is refused, in UTC; null for never.",
        examples=["2027-03-02T00:00:00Z"],
    )
    revoked_at: datetime | None = Field(
        description="The time of the revocation, in UTC; null if the key is not revoked.",
        examples=["2026-04-02T09:00:00Z"],
    )
    last_used_at: datetime | None = Field(
        description="The time of the last use, in UTC, with a delay of up to 30 s; null before the first use.",
        examples=["2026-04-01T16:20:00Z"],
    )


class ApiKeyCreated(ApiKey):
    """A new API key with its secret, which no other response contains."""

    secret: str = Field(
        description="The key itself, to be sent as `Authorization: Bearer`. It is not stored and not shown again.",
        examples=["tk_4fPq0Zt9_0000000000000000000000000000000000000000000000000"],
    )


class ApiKeyPage(BaseModel):
    """A page of API keys."""

    items: list[ApiKey] = Field(description="The keys, in the order of their creation, revoked ones included.")
    next_cursor: NextCursor
