"""Purposes for which the service changes closed tickets.

The guards in the database refuse every change of a closed ticket, of its comments and of an event. A transaction that
names its purpose may make the changes that the function `purpose_permits` lists for it; the setting ends with the
transaction. Migrations name the purpose `backfill` for the columns that they add.
"""

from collections.abc import Mapping, Set
from enum import StrEnum
from typing import Final

from sqlalchemy import Text, bindparam, func, select, true

from db.postgres.statements import Statement, constant

SETTING: Final = "tickets.change_purpose"


class ChangePurpose(StrEnum):
    """The reason for a change of a closed ticket."""

    MERGE = "merge"
    """Merges a ticket into another one, or takes it out again."""
    LINK = "link"
    """Links a ticket to another one, or names its follow-up: nothing of the ticket itself changes."""
    RENAME_TAG = "rename_tag"
    """Renames a tag on all tickets that have it."""
    REMIND = "remind"
    """Appends the event of a reminder that is due: nothing of the ticket itself changes."""
    ERASURE = "erasure"
    """Erases personal data. The event of the change names the erased fields without their old values."""


PERMITTED: Final[Mapping[ChangePurpose, Set[str]]] = {
    ChangePurpose.MERGE: frozenset({"merged_into", "participants"}),
    ChangePurpose.LINK: frozenset(),
    ChangePurpose.RENAME_TAG: frozenset({"tags"}),
    ChangePurpose.REMIND: frozenset(),
    ChangePurpose.ERASURE: frozenset({"subject", "text", "email", "participants", "custom"}),
}
"""The fields of a ticket that each purpose may set, closed or not; the guards permit the same."""

SET_PURPOSE: Final = Statement(select(func.set_config(constant(SETTING), bindparam("purpose", type_=Text), true())))
