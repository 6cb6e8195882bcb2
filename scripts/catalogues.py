"""Update the catalogues of the desk from its templates and modules (`pipenv run catalogues`).

New texts are added without a translation, texts that are gone are removed. A test compares catalogues and sources.
"""

import sys
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from babel.messages.catalog import Catalog  # noqa: E402 - `src` has to be on the path
from babel.messages.extract import extract_from_dir  # noqa: E402
from babel.messages.pofile import read_po, write_po  # noqa: E402

from desk.languages import CATALOGUE, LOCALES  # noqa: E402

DESK = ROOT / "src" / "desk"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true"}}
KEYWORDS: dict[str, tuple[int, ...] | None] = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}


def extracted() -> Catalog:
    """Return the texts of the sources, without their translations."""
    catalogue = Catalog(charset="utf-8")
    found = extract_from_dir(str(DESK), METHODS, OPTIONS, KEYWORDS)
    for filename, _line, text, _comments, _context in sorted(found, key=lambda each: (each[0], each[1])):
        catalogue.add(text, locations=[(f"src/desk/{filename}", 0)])
    return catalogue


def catalogue_of(path: Path) -> Catalog:
    """Return a catalogue as it is stored."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.name)


def updated(path: Path) -> Catalog:
    """Return a catalogue with exactly the texts of the sources, and the translations that it has."""
    stored, catalogue = catalogue_of(path), extracted()
    catalogue.locale = stored.locale
    for message in catalogue:
        known = stored.get(message.id) if message.id else None
        if known is not None:
            message.string = known.string
            message.flags = known.flags
    return catalogue


def written(catalogue: Catalog) -> bytes:
    """Return a catalogue as it is stored: without dates and names, so that only texts make a difference."""
    file = BytesIO()
    write_po(file, catalogue, width=120, omit_header=True, include_lineno=False, sort_output=False)
    plural_forms = f'"Plural-Forms: {catalogue.plural_forms}\\n"\n'
    return (
        f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n{plural_forms}\n'.encode()
        + file.getvalue()
    )


def main() -> None:
    """Write the catalogues."""
    for path in sorted(LOCALES.glob(f"*/{CATALOGUE}")):
        catalogue = updated(path)
        path.write_bytes(written(catalogue))
        missing = [message.id for message in catalogue if message.id and not message.string]
        print(f"{path.parent.name}: {len(catalogue)} texts, {len(missing)} without a translation")


if __name__ == "__main__":
    main()
