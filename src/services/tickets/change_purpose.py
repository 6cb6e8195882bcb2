"""Purposes for which the service changes what is otherwise final: closed tickets, their comments and the history.

The guards in the database refuse every change of a closed ticket, of its comments and of an event. A transaction that
sets its purpose may make exactly the changes that the guards know for it. The setting ends with the transaction.
"""

from enum import StrEnum
from typing import Final

from sqlalchemy import Text, bindparam, func, select, true

from db.postgres.statements import Statement, constant

# The setting that the guards read; migrations set 'backfill' for the columns they add.
SETTING: Final = "tickets.change_purpose"


class ChangePurpose(StrEnum):
    """What a change of closed tickets is for, and which columns the guards let it set."""

    MERGE = "merge"
    """Marks a ticket as merged: the marker columns."""
    ERASURE = "erasure"
    """Erases personal data: subject, text and e-mail address of a ticket, text and address of comments, event data."""
    BACKFILL = "backfill"
    """Fills a column that a migration has added, without a new version: any column but id, status and version."""


SET_PURPOSE: Final = Statement(select(func.set_config(constant(SETTING), bindparam("purpose", type_=Text), true())))
