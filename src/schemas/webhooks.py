"""Webhooks, in requests and in responses."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from models import WebhookDetail, WebhookState
from models.webhook import MAX_IN_FLIGHT, URL_MAX_LENGTH
from schemas.groups import PrincipalId
from schemas.numbers import BodyId, whole_number
from schemas.request_body import MergePatch, RequestBody, without_default
from schemas.working_fields import Tag

MAX_TYPES: Final = 50
MAX_GROUPS: Final = 50
MAX_TAGS: Final = 50
_URL_EXAMPLE: Final = "https://hooks.example.com/tickets"
_SECRET_EXAMPLE: Final = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="  # noqa: S105 - the digits 0 to f
_TIME: Final = "2026-03-02T12:31:07.120345Z"
_LATER: Final = "2026-03-03T12:31:07.120345Z"

_URL: Final = (
    "The address that events are sent to, with `https` and port 443 or 8443. It may not contain credentials. Only "
    "public addresses are called, unless the operator allows others."
)
_TYPES: Final = "The types of the events that are sent. Empty: all types."
_GROUPS: Final = "Only events of tickets that are assigned to one of these groups. Empty: of all tickets."
_TAGS: Final = "Only events of tickets that have one of these tags. Empty: of all tickets."
_DETAIL: Final = (
    "`thin`: ids, times, status, priority and tags, and the names of what else changed, without its text. `full`: the "
    "details of the event and a new comment, as far as the owner may see them."
)
_MAX_IN_FLIGHT: Final = (
    "The maximum number of requests at once. With 1, events arrive in the order of the log unless one fails."
)

WebhookUrl = Annotated[str, StringConstraints(min_length=1, max_length=URL_MAX_LENGTH, pattern=r"^[!-~]*$")]
EventTypeName = Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z]+(\.[a-z_]+)+$")]
Secret = Annotated[str, StringConstraints(min_length=38, max_length=94, pattern=r"^whsec_[A-Za-z0-9+/]+=*$")]
InFlight = Annotated[int, Field(ge=1, le=MAX_IN_FLIGHT), BeforeValidator(whole_number)]


class WebhookCreate(RequestBody):
    """A new webhook."""

    url: WebhookUrl = Field(description=_URL, examples=[_URL_EXAMPLE])
    types: Annotated[list[EventTypeName], Field(max_length=MAX_TYPES)] = Field(
        default=[], description=_TYPES, examples=[["ticket.created", "ticket.commented"]]
    )
    group_ids: Annotated[list[BodyId], Field(max_length=MAX_GROUPS)] = Field(
        default=[], description=_GROUPS, examples=[[]]
    )
    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS)] = Field(default=[], description=_TAGS, examples=[["vip"]])
    detail: WebhookDetail = Field(default=WebhookDetail.THIN, description=_DETAIL)
    max_in_flight: InFlight = Field(default=MAX_IN_FLIGHT, description=_MAX_IN_FLIGHT, examples=[1])
    principal_id: PrincipalId | None = Field(
        default=None,
        description="The id of the owner, an active principal: the webhook gets the events that the owner may see. "
        "Null or absent: the caller.",
        examples=[None],
    )
    secret: Secret | None = Field(
        default=None,
        description="The secret that signs the requests, 24 to 64 bytes in base64 after `whsec_`. Null or absent: a "
        "random one.",
        examples=[None],
    )


class WebhookPatch(MergePatch):
    """A JSON merge patch (RFC 7396): the fields that are present replace the stored values.

    At least one is required.
    """

    url: WebhookUrl = Field(
        default="", json_schema_extra=without_default, description=_URL, examples=[f"{_URL_EXAMPLE}/2"]
    )
    types: Annotated[list[EventTypeName], Field(max_length=MAX_TYPES)] = Field(
        default=[], json_schema_extra=without_default, description=_TYPES, examples=[["ticket.created"]]
    )
    group_ids: Annotated[list[BodyId], Field(max_length=MAX_GROUPS)] = Field(
        default=[], json_schema_extra=without_default, description=_GROUPS, examples=[[]]
    )
    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS)] = Field(
        default=[], json_schema_extra=without_default, description=_TAGS, examples=[["vip"]]
    )
    detail: WebhookDetail = Field(
        default=WebhookDetail.THIN, json_schema_extra=without_default, description=_DETAIL, examples=["full"]
    )
    max_in_flight: InFlight = Field(
        default=MAX_IN_FLIGHT, json_schema_extra=without_default, description=_MAX_IN_FLIGHT, examples=[1]
    )
    state: Literal["on", "paused"] = Field(
        default="on",
        json_schema_extra=without_default,
        description="`on` sends events, from where the webhook stopped, and ends a pause because of failures. `paused` "
        "keeps them until then.",
        examples=["paused"],
    )
    skip_backlog: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        json_schema_extra=without_default,
        description="True: events that were not sent yet are never sent, those of running replays neither; the webhook "
        "goes on with those to come.",
        examples=[False],
    )


class Webhook(BaseModel):
    """A webhook. Its `ETag` changes with its settings and its state, not with `pending` and the times of failures."""

    id: int = Field(description="The id of the webhook.", examples=[1])
    url: str = Field(description=_URL, examples=[_URL_EXAMPLE])
    types: list[str] = Field(description=_TYPES, examples=[["ticket.created", "ticket.commented"]])
    group_ids: list[int] = Field(description=_GROUPS, examples=[[]])
    tags: list[str] = Field(description=_TAGS, examples=[["vip"]])
    detail: WebhookDetail = Field(description=_DETAIL, examples=["thin"])
    max_in_flight: int = Field(description=_MAX_IN_FLIGHT, examples=[4])
    principal_id: str = Field(
        description="The owner. The webhook gets the events that this principal may see; none while it is deactivated.",
        examples=["key:crm"],
    )
    state: WebhookState = Field(
        description="`on`, `paused` by an admin, or `off`: switched off by the service, for `state_reason`.",
        examples=["on"],
    )
    state_reason: str | None = Field(
        description="Why the service switched the webhook off: `gone` (the receiver responded 410) or `failing` (every "
        "attempt of five days failed). Null otherwise.",
        examples=["gone"],
    )
    pending: int = Field(
        description="The number of deliveries that wait, at most 1,000. Further events wait in the log.", examples=[0]
    )
    missed_events: int = Field(
        description="The number of events that were never sent, because the webhook was so far behind that the log had "
        "deleted them.",
        examples=[0],
    )
    failing_since: datetime | None = Field(
        description="The time of the first failure since the last success, in UTC; null after a success.",
        examples=[_TIME],
    )
    paused_until: datetime | None = Field(
        description="Nothing is sent before this time, in UTC, because of failures or at the request of the receiver; "
        "null without such a pause.",
        examples=[_TIME],
    )
    old_secret_until: datetime | None = Field(
        description="Until this time, in UTC, requests are also signed with the previous secret; null without one.",
        examples=[_LATER],
    )
    version: int = Field(description="Starts at 1. Also sent as the `ETag`.", examples=[1])
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=[_TIME])
    updated_at: datetime = Field(description="The time of the last change, in UTC.", examples=[_TIME])


class WebhookWithSecret(Webhook):
    """A webhook with its secret, which only the responses to its creation and rotation contain."""

    secret: str = Field(
        description="The secret that signs the requests. It is not shown again.",
        examples=[_SECRET_EXAMPLE],
    )


class WebhookList(BaseModel):
    """All webhooks."""

    items: list[Webhook] = Field(description="The webhooks, in the order of their ids.")


class WebhookTest(BaseModel):
    """What became of a test."""

    is_success: bool = Field(description="True if the receiver responded with a status from 200 to 299.")
    status: int | None = Field(description="The status of the response; null without a response.", examples=[204])
    error: str | None = Field(
        description="Why there was no response; null if there was one.", examples=["no response within 8 s"]
    )
    duration_ms: int = Field(description="The time that the request took, in milliseconds.", examples=[83])
    request_headers: dict[str, str] = Field(
        description="The headers that were sent, with the signature.",
        examples=[{"webhook-id": "test_5d1f0c", "webhook-timestamp": "1772454667", "webhook-signature": "v1,Zm9v"}],
    )
    response_head: str = Field(description="The start of the body of the response, at most 16 KiB.", examples=["ok"])
