"""The clock of the database, which decides on everything that is done automatically."""

from typing import Final

from sqlalchemy import DateTime, func, select

from db.postgres.statements import Statement

CLOCK: Final = Statement(select(func.service_clock(type_=DateTime(timezone=True)).label("now")))
