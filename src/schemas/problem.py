"""What every refusal looks like: RFC 9457 problem details."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

# A body of 1 MiB has room for 100,000 unknown fields, each of which would be told.
MAX_PARTS: Final = 50


class InvalidPart(BaseModel):
    """One part of a request that is not as it should be: a JSON pointer into the body, or a parameter's name."""

    detail: str = Field(examples=["must not be blank"])
    pointer: str | None = Field(default=None, description="Into the body (RFC 6901).", examples=["#/subject"])
    parameter: str | None = Field(default=None, description="The name of a parameter.", examples=["limit"])


class Problem(BaseModel):
    """A refusal. `type` tells programs what it is, `title` and `detail` tell people."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False, serialize_by_alias=True)

    type: str = Field(examples=["/problems/illegal-transition"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="This very occurrence.", examples=["urn:request:4f9d0c2e6b1a4d7c"])
    request_id: str = Field(description="As in the X-Request-Id header of the answer, and in the logs.")
    errors: list[InvalidPart] | None = Field(
        default=None, description="What is invalid, part by part; the first of it if it is much.", max_length=MAX_PARTS
    )
    source: str | None = Field(default=None, alias="from", description="The status the ticket has.")
    target: str | None = Field(default=None, alias="to", description="The status that was asked for.")
    allowed: list[str] | None = Field(default=None, description="The statuses it may become.")
