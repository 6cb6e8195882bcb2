"""README and docs agree with the code: settings, status machine, paths, links and the index of decisions."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.rate import Rate
from core.settings import ROOT, Settings
from services.tickets.ticket_status import mermaid

README = ROOT / "README.md"
DECISIONS = ROOT / "docs" / "decisions"
DOCUMENTS = [README, *sorted((ROOT / "docs").rglob("*.md"))]
README_MAX_LINES = 220
# An embedded server replaces these two when they are not set.
EMBEDDED = {"DATABASE_DSN", "REDIS_HOST"}
# Written by commands, and ignored by git.
GENERATED = (".env", ".venv", ".data", ".bench")
# `src/models/<x>.py` names no file, but the form of a name.
PLACEHOLDER = re.compile(r"[<>*…{}$]|YYYY")
PATH = re.compile(r"\.{0,2}[\w-][\w./-]*|\.{1,2}/[\w./-]+")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= README_MAX_LINES


def test_the_docs_list_every_setting_with_its_default() -> None:
    table = (ROOT / "docs" / "configuration.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) ?\| [^|]+ \|$", table, re.MULTILINE)
    assert dict(rows) == {name.upper(): default_cell(name) for name in Settings.model_fields}
    assert len(rows) == len(Settings.model_fields)
    assert next(row for row in README.read_text().splitlines() if row.startswith("| `DATABASE_DSN`")) in table


def default_cell(name: str) -> str:
    """Return how the table of settings shows the default of a field."""
    default = Settings.model_fields[name].default
    if name.upper() in EMBEDDED:
        assert default is None
        return "embedded server"
    if default is None or default in {"", ()}:
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, Path):
        return f"`{default.relative_to(ROOT)}`"
    if isinstance(default, Rate):
        return f"`{default.quota}/{default.window_s}s`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def test_the_docs_draw_the_status_machine_of_the_code() -> None:
    assert f"```mermaid\n{mermaid()}\n```" in (ROOT / "docs" / "api.md").read_text()


@each_document
def test_every_path_in_a_document_exists(document: Path) -> None:
    assert [path for path in paths_in(document) if not (ROOT / path).exists()] == []


def test_the_paths_of_a_document_are_found() -> None:
    paths = set(paths_in(ROOT / "docs" / "architecture.md"))
    assert {"src/api/routes", "src/main.py", "src/db/cache", "README.md", "tests/support", ".ci"} <= paths
    assert not any("<" in path for path in paths)


def paths_in(document: Path) -> Iterator[str]:
    """Yield every path of the repository that is named in backticks or in a block of code."""
    text = document.read_text()
    code = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    code += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    roots = {path.name for path in ROOT.iterdir()} - {".git"}
    for word in (word.strip("\"'(),;:") for words in code for word in words.split()):
        if PLACEHOLDER.search(word) or not PATH.fullmatch(word):
            continue
        path = word.removeprefix("./").rstrip("/")
        if path.partition("/")[0] in roots and not path.startswith(GENERATED):
            yield path


@each_document
def test_every_relative_link_resolves(document: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", document.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []


def anchors_of(document: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub and GitLab make them."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_the_index_lists_every_decision() -> None:
    index = re.findall(r"^- \[.+\]\(([a-z0-9-]+\.md)\)$", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    assert sorted(index) == [path.name for path in decisions()]


def test_every_decision_has_context_decision_and_cost() -> None:
    for path in decisions():
        headings = re.findall(r"^#+ .+$", path.read_text(), re.MULTILINE)
        assert headings[1:] == ["## Context", "## Decision", "## Cost"], path.name


def decisions() -> list[Path]:
    return sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")
