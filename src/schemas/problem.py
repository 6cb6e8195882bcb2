"""The body of every error response: problem details (RFC 9457)."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

# A body of 1 MiB has room for 100,000 unknown fields.
MAX_PARTS: Final = 50


class InvalidPart(BaseModel):
    """An invalid part of a request. It has either `pointer` or `parameter`."""

    detail: str = Field(description="The reason why the part is invalid.", examples=["must not be blank"])
    pointer: str | None = Field(
        default=None, description="A JSON pointer into the body (RFC 6901), as a URI fragment.", examples=["#/subject"]
    )
    parameter: str | None = Field(
        default=None, description="The name of a path or query parameter, or of a header.", examples=["limit"]
    )


class Problem(BaseModel):
    """An error (RFC 9457). Programs read `type`; `title` and `detail` are for people."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False, serialize_by_alias=True)

    type: str = Field(
        description="The problem type: the path of a page that describes it, or `about:blank`. Types may be added; "
        "clients handle an unknown one by its `status`.",
        examples=["/problems/illegal-transition"],
    )
    title: str = Field(description="The name of the problem type.", examples=["Illegal status transition"])
    status: int = Field(description="The HTTP status code.", examples=[409])
    detail: str = Field(
        description="What happened.", examples=["The status of the ticket cannot change to the requested status."]
    )
    instance: str = Field(
        description="A URI that identifies this occurrence.", examples=["urn:request:4f9d0c2e6b1a4d7c"]
    )
    request_id: str = Field(
        description="The id of the request, as in the `X-Request-Id` header and in the log of the service.",
        examples=["4f9d0c2e6b1a4d7c"],
    )
    errors: list[InvalidPart] | None = Field(
        default=None,
        description="For `invalid-request`, `invalid-reference` and `already-exists`: the invalid parts, at most the "
        f"first {MAX_PARTS}.",
        max_length=MAX_PARTS,
        examples=[[{"detail": "must not be blank", "pointer": "#/subject"}]],
    )
    scope: str | None = Field(
        default=None,
        description="For `insufficient-scope`: the scope that the API key lacks.",
        examples=["write"],
    )
    source: str | None = Field(
        default=None, alias="from", description="For `illegal-transition`: the current status.", examples=["open"]
    )
    target: str | None = Field(
        default=None,
        alias="to",
        description="For `illegal-transition`: the requested status.",
        examples=["awaiting_reply"],
    )
    allowed: list[str] | None = Field(
        default=None,
        description="For `illegal-transition`: the statuses that the ticket can change to.",
        examples=[["answered", "closed"]],
    )
    first_cursor: str | None = Field(
        default=None,
        description="For `events-gone`: the cursor before the oldest event of the log.",
        examples=["kpV2mXzZ1r4uQn7y0bD3eFsIjMw1MzRhYzciLCAxMjM0XQ"],
    )
    reason: str | None = Field(
        default=None,
        description="For `merge-not-possible`: `already-merged`, `target-closed`, `leads-back` or "
        "`too-many-participants`.",
        examples=["target-closed"],
    )
    assignee_id: str | None = Field(
        default=None,
        description="For `already-assigned`: the principal that has the ticket.",
        examples=["person:17"],
    )
