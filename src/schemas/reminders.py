"""Reminders, in requests and in responses."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, StringConstraints

from models import TicketStatus
from models.reminder import NOTE_MAX_LENGTH
from schemas.lists import Paging, Timestamp
from schemas.pages import NextCursor
from schemas.request_body import RequestBody

_NOTE_EXAMPLE: Final = "Ask the supplier again"
_REMIND_AT: Final = "2035-03-02T09:00:00Z"

Note = Annotated[str, StringConstraints(max_length=NOTE_MAX_LENGTH, pattern=r"^[^\x00]*$")]
ReminderState = Literal["pending", "due"]


class ReminderPut(RequestBody):
    """The reminder of the caller on a ticket. It replaces an earlier one."""

    remind_at: Timestamp = Field(
        description="When the caller is reminded, with an offset: in the future, within ten years.",
        examples=[_REMIND_AT],
    )
    note: Note = Field(default="", description="What to remember.", examples=[_NOTE_EXAMPLE])
    snooze: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="True: until then, `GET /tickets?snoozed=false` of the caller leaves the ticket out.",
        examples=[True],
    )


class Reminder(BaseModel):
    """A reminder. Only the principal that set it sees it; when it is due, its event shows it to all agents."""

    ticket_id: int = Field(description="The id of the ticket.", examples=[1])
    remind_at: datetime = Field(description="When it is due, in UTC.", examples=[_REMIND_AT])
    note: str = Field(description="What to remember.", examples=[_NOTE_EXAMPLE])
    snoozed_until: datetime | None = Field(
        description="The ticket is snoozed until this time, in UTC; null if it is not snoozed.", examples=[_REMIND_AT]
    )
    reminded_at: datetime | None = Field(
        description="When its event was appended, in UTC; null before.", examples=["2035-03-02T09:00:00.310227Z"]
    )


class ListedReminder(Reminder):
    """A reminder, with what a list shows of its ticket."""

    subject: str = Field(description="The subject of the ticket.", examples=["The printer is on fire"])
    status: TicketStatus = Field(description="The status of the ticket.", examples=["open"])


class ReminderPage(BaseModel):
    """A page of reminders."""

    items: list[ListedReminder] = Field(description="The reminders, the earliest first.")
    next_cursor: NextCursor


class RemindersQuery(Paging):
    """The page of a list of reminders, and the state of those."""

    state: ReminderState | None = Field(
        default=None,
        description="`pending`: reminders whose time is still to come. `due`: those whose time has come.",
        examples=["pending"],
    )
