"""Webhooks: addresses of other programs that events are sent to, and what became of each event."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between, one_of

URL_MAX_LENGTH = 2_048
MAX_IN_FLIGHT = 4


class WebhookState(StrEnum):
    """Whether events are sent to an endpoint."""

    ON = "on"
    PAUSED = "paused"
    """An admin paused it."""
    OFF = "off"
    """The service switched it off, for the reason in `state_reason`."""


class WebhookDetail(StrEnum):
    """How much of an event is sent."""

    THIN = "thin"
    """Ids, times, status, priority and tags; of everything else that changed the name."""
    FULL = "full"
    """The event with its values and a new comment, as far as the owner of the endpoint may see them."""


class DeliveryReason(StrEnum):
    """Why an event is sent."""

    EVENT = "event"
    REPLAY = "replay"


class DeliveryState(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"
    """Every attempt failed."""
    SKIPPED = "skipped"
    """It was not sent: the owner of the endpoint may no longer see the event, or an admin skipped it."""


class ReplayState(StrEnum):
    """The progress of a replay."""

    RUNNING = "running"
    DONE = "done"


class WebhookEndpoint(Base):
    """One row per endpoint. The events up to `cursor`, a position of the event log, have deliveries if it wants them.

    Its owner is `principal_id`: it gets the events that this principal may see. Secrets are sealed. `failures` counts
    the failed attempts since the last success. `missed` counts events that the log no longer had.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        length_between("url", 1, URL_MAX_LENGTH),
        one_of("detail", WebhookDetail),
        one_of("state", WebhookState),
        CheckConstraint(f"max_in_flight BETWEEN 1 AND {MAX_IN_FLIGHT}", name="max_in_flight"),
        CheckConstraint("(old_secret IS NULL) = (old_secret_until IS NULL)", name="old_secret"),
        CheckConstraint("version >= 1", name="version"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    types: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=sql("'{}'"))
    group_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=sql("'{}'"))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=sql("'{}'"))
    detail: Mapped[WebhookDetail] = mapped_column(Text, server_default=sql("'thin'"))
    principal_id: Mapped[str] = mapped_column(Text(collation="C"), ForeignKey("principals.id"))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    old_secret_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    state: Mapped[WebhookState] = mapped_column(Text, server_default=sql("'on'"))
    state_reason: Mapped[str | None] = mapped_column(Text)
    cursor: Mapped[int] = mapped_column(BigInteger)
    missed: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
    max_in_flight: Mapped[int] = mapped_column(SmallInteger, server_default=sql(f"{MAX_IN_FLIGHT}"))
    failures: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    failing_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    not_before: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    served_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class WebhookReplay(Base):
    """One row per replay: the positions after `cursor` up to `to_position` are still to be looked at."""

    __tablename__ = "webhook_replays"
    __table_args__ = (
        one_of("state", ReplayState),
        Index("ix_webhook_replays_endpoint_id_id", "endpoint_id", "id"),
        Index("ix_webhook_replays_running", "id", postgresql_where=sql("state = 'running'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("webhook_endpoints.id"))
    from_position: Mapped[int] = mapped_column(BigInteger)
    to_position: Mapped[int] = mapped_column(BigInteger)
    cursor: Mapped[int] = mapped_column(BigInteger)
    only_dead: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    state: Mapped[ReplayState] = mapped_column(Text, server_default=sql("'running'"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class WebhookDelivery(Base):
    """One row per event that an endpoint gets, and per replay of it.

    A process that sends it has claimed it until `claimed_until`, and `attempts` counts the claims.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        one_of("reason", DeliveryReason),
        one_of("state", DeliveryState),
        CheckConstraint("(state = 'pending') = (finished_at IS NULL)", name="finished_at"),
        Index(
            "uq_webhook_deliveries_endpoint_id_position",
            "endpoint_id",
            "position",
            unique=True,
            postgresql_where=sql("reason = 'event'"),
        ),
        Index("ix_webhook_deliveries_due", "endpoint_id", "next_at", postgresql_where=sql("state = 'pending'")),
        Index(
            "ix_webhook_deliveries_order",
            "endpoint_id",
            "ticket_id",
            "version",
            postgresql_where=sql("state = 'pending'"),
        ),
        Index("ix_webhook_deliveries_endpoint_id_state_id", "endpoint_id", "state", "id"),
        Index("ix_webhook_deliveries_finished_at", "finished_at", postgresql_where=sql("state <> 'pending'")),
        Index("ix_webhook_deliveries_replayed", "endpoint_id", "position", postgresql_where=sql("reason = 'replay'")),
        Index("ix_webhook_deliveries_replay_id", "replay_id", postgresql_where=sql("replay_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("webhook_endpoints.id"))
    replay_id: Mapped[int | None] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    ticket_id: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(Integer)
    reason: Mapped[DeliveryReason] = mapped_column(Text, server_default=sql("'event'"))
    state: Mapped[DeliveryState] = mapped_column(Text, server_default=sql("'pending'"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=sql("0"))
    next_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    claimed_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class WebhookAttempt(Base):
    """One row per attempt whose outcome is known. `response_head` is the start of the response's body."""

    __tablename__ = "webhook_attempts"

    delivery_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    n: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    duration_ms: Mapped[int] = mapped_column(Integer)
    status: Mapped[int | None] = mapped_column(SmallInteger)
    error: Mapped[str | None] = mapped_column(Text)
    response_head: Mapped[str] = mapped_column(Text, server_default=sql("''"))
