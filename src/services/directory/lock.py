"""The lock of the directory."""

from typing import Final

from sqlalchemy import func, literal_column, select

from db.postgres.statements import Statement

LOCK: Final = Statement(select(func.pg_advisory_xact_lock(literal_column("7415530150"))))
"""Serializes all writes of people and groups, and the end of admins, until the transaction ends.

These are rare, and their rules concern several rows: unique addresses and names, the last admin, active members.
"""
