"""The revisions that are read from the migration files are those of Alembic."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from core.settings import ROOT
from db.postgres import revisions
from db.postgres.migrations import alembic_config
from db.postgres.revisions import Revisions, known_revisions


def test_the_known_revisions_are_those_of_alembic() -> None:
    scripts = ScriptDirectory.from_config(alembic_config("postgresql+asyncpg://"))
    found = known_revisions()
    assert found.head == scripts.get_current_head()
    assert found.earlier | {found.head} == {script.revision for script in scripts.walk_revisions()}


@pytest.mark.parametrize(
    "second",
    ['revision: str = "bbbb"\ndown_revision: str | None = None\n', ""],
    ids=["two heads", "no revision"],
)
def test_files_without_a_single_last_revision_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    (tmp_path / "a.py").write_text('revision: str = "aaaa"\ndown_revision: str | None = None\n')
    (tmp_path / "b.py").write_text(second)
    monkeypatch.setattr(revisions, "VERSIONS", tmp_path)
    with pytest.raises(LookupError):
        known_revisions()


def test_a_revision_need_not_be_annotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").write_text('revision: str = "aaaa"\ndown_revision: str | None = None\n')
    (tmp_path / "b.py").write_text("revision = 'bbbb'\ndown_revision='aaaa'\n")
    monkeypatch.setattr(revisions, "VERSIONS", tmp_path)
    assert known_revisions() == Revisions("bbbb", frozenset({"aaaa"}))


def test_the_service_is_imported_without_what_it_rarely_needs() -> None:
    program = "import sys, main; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"alembic", "mako", "jwt", "cryptography.hazmat"} & set(imported)
