"""The revisions of the schema: those that this release knows, and the one that a database has.

They are read from the migration files as text. Alembic itself, with its template engine, would stay in the memory of
each worker.
"""

import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy import column, func, select, table

from core.settings import ROOT
from db.postgres.session import Session
from db.postgres.statements import Statement, constant

VERSIONS: Final = ROOT / "src" / "models" / "migrations" / "versions"

_REVISION: Final = re.compile(r"""^revision\b[^=\n]*=\s*["'](\w+)["']""", re.MULTILINE)
_DOWN_REVISION: Final = re.compile(r"""^down_revision\b[^=\n]*=\s*["'](\w+)["']""", re.MULTILINE)

_VERSION_TABLE: Final = "alembic_version"
_IS_MIGRATED: Final = Statement(select(func.to_regclass(constant(_VERSION_TABLE)).is_not(None)))
_CURRENT: Final = Statement(select(column("version_num")).select_from(table(_VERSION_TABLE)))


@dataclass(frozen=True)
class Revisions:
    """The revisions that this release knows: `head`, which it requires, and the `earlier` ones."""

    head: str
    earlier: frozenset[str]

    def suffice(self, revision: str | None) -> bool:
        """Return whether this release can work with a database at `revision`.

        A newer release created a revision that this one does not know. Migrations only add, and the next release
        removes what a release no longer uses, so this release continues to work with that revision.
        """
        return revision is not None and revision not in self.earlier


def known_revisions() -> Revisions:
    """Return the revisions of this release. Raises LookupError unless exactly one of them is the last one."""
    files = [path.read_text() for path in VERSIONS.glob("*.py")]
    revisions = {found[1] for text in files if (found := _REVISION.search(text))}
    followed = {found[1] for text in files if (found := _DOWN_REVISION.search(text))}
    if len(revisions) != len(files) or len(heads := revisions - followed) != 1:
        raise LookupError(f"the migrations in {VERSIONS} have no single last revision")
    (head,) = heads
    return Revisions(head, frozenset(revisions) - {head})


async def revision_of(connection: Session) -> str | None:
    """Return the revision of a database; None if it was never migrated."""
    if not await connection.value(_IS_MIGRATED):
        return None
    revision: str | None = await connection.value(_CURRENT)
    return revision
