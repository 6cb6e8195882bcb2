"""Drafts, as their authors save, send and read them."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, Field, StringConstraints, model_validator

from models import DraftKind, TicketStatus
from models.ticket import TEXT_MAX_LENGTH
from schemas.fields import ID_MAX, Email, Text
from schemas.request_body import RequestBody

SEND_DELAY_S: Final = 10
"""How long a draft can be called back after its author has sent it."""
MAX_SEND_DELAY_S: Final = 60

_Id = Annotated[int, Field(ge=1, le=ID_MAX)]
_Typed = Annotated[str, StringConstraints(max_length=TEXT_MAX_LENGTH, pattern=r"^[^\x00]*$")]


class DraftSave(RequestBody):
    """What the author has typed so far.

    `counter` grows with each save and with the sending. `draft_id` is that of the draft which the author goes on with;
    None begins one. A late save with an id never makes a draft again that was sent meanwhile.
    """

    kind: DraftKind
    counter: _Id
    base_version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    email: Email
    text: _Typed
    status: TicketStatus | None = None
    draft_id: _Id | None = None

    @model_validator(mode="after")
    def _refuse_a_transition_by_a_note(self) -> "DraftSave":
        if self.kind is DraftKind.NOTE and self.status is not None:
            raise ValueError("a note makes no transition")
        return self


class DraftSend(DraftSave):
    """The final text, which is sent after `delay_s` seconds unless the author calls it back.

    Texts with the same `send_key` become one comment.
    """

    text: Text
    delay_s: Annotated[int, Field(ge=0, le=MAX_SEND_DELAY_S)] = SEND_DELAY_S
    send_key: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")] | None = None


class Draft(BaseModel):
    """A stored draft.

    With `send_at`, it is about to be sent. `refusal` is the slug of the problem for which it was not sent.
    """

    id: int
    ticket_id: int
    kind: DraftKind
    email: str
    text: str
    status: TicketStatus | None
    counter: int
    base_version: int
    saved_at: datetime
    send_at: datetime | None
    refusal: str | None


class ListedDraft(Draft):
    """A draft, with what a list shows of its ticket."""

    subject: str
    ticket_status: TicketStatus
