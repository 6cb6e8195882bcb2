"""A later release of the service: a copy of the source in which a ticket has one more field."""

import shutil
from pathlib import Path
from typing import Final

from core.settings import ROOT

_COPIED: Final = ("src", "Pipfile", "pyproject.toml")
_MIGRATION: Final = '''"""Add a field to tickets."""

import sqlalchemy as sa
from alembic import op

revision = "ffffffffffff"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("tickets", sa.Column("product", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("tickets", "product")
'''
# In each file, the line before which the new one is inserted.
_ADDITIONS: Final = (
    (
        "src/models/ticket.py",
        "    closed_at: Mapped[datetime | None]",
        "    product: Mapped[str | None] = mapped_column(Text)",
    ),
    (
        "src/schemas/tickets.py",
        '    email: Annotated[Email, Field(description="The email address of the requester.")]',
        "    product: str | None = None",
    ),
    (
        "src/schemas/tickets.py",
        '    email: Annotated[Email, Field(description="The email address of the author.")]',
        '    language: str = "en"',
    ),
    ("src/schemas/tickets.py", "    closed_at: datetime | None = Field(", "    product: str | None"),
)


def make_later_release(folder: Path, head: str) -> Path:
    """Copy the project to `folder`, add the fields there, and return the folder. `head` is the last migration here.

    A new ticket has the optional field `product`, which each ticket in a response has as a required member. A new
    comment has the optional field `language`.
    """
    for name in _COPIED:
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, folder / name)
    for name, before, added in _ADDITIONS:
        file = folder / name
        text = file.read_text()
        assert text.count(f"\n{before}") == 1, (name, before)
        file.write_text(text.replace(f"\n{before}", f"\n{added}\n{before}"))
    migration = folder / "src/models/migrations/versions/2099-01-01-0000_add_a_field.py"
    migration.write_text(_MIGRATION.format(head=head))
    return folder
