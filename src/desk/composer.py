"""The form of a reply or a note."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from desk.desk_request import DeskRequest
from desk.forms import Form, new_key
from models import Audience
from schemas.drafts import Draft


@dataclass(frozen=True, slots=True)
class Composer:
    """The form of a reply: what is in it, and the version of the ticket that its writer has seen.

    `key` makes a form that is sent twice one reply. `drafts` are those of the viewer, by the visibility of the comment
    that they become. With `undo_s`, the comment can be called back for so many seconds.
    """

    version: int
    text: str = ""
    email: str = ""
    is_note: bool = False
    undo_s: int = 0
    is_focused: bool = False
    drafts: Mapping[str, Draft] = field(default_factory=dict)
    key: str = field(default_factory=new_key)


def composer_of(asked: DeskRequest, form: Form, version: int) -> Composer:
    """Return the composer with what was typed."""
    is_note = form.text("visibility") == Audience.INTERNAL
    return Composer(version, form.text("text"), form.text("email") or asked.viewer.email, is_note, asked.undo_send_s)
