"""The languages of the desk: gettext catalogues, read from `locales` and compiled in memory, and the choice of one."""

import gettext
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALES: Final = Path(__file__).parent / "locales"
ENGLISH: Final = "en"
CATALOGUE: Final = "desk.po"
_KNOWN_HEADERS: Final = 64
_MAX_HEADER_LENGTH: Final = 1_000


def N_(text: str) -> str:  # noqa: N802 - the name that gettext tools know
    """Mark a text for the catalogues; it is translated where it is shown."""
    return text


# From the catalogues, because the data that Babel has about a language takes 5 MB of memory.
_MONTHS: Final = (
    N_("Jan"),
    N_("Feb"),
    N_("Mar"),
    N_("Apr"),
    N_("May"),
    N_("Jun"),
    N_("Jul"),
    N_("Aug"),
    N_("Sep"),
    N_("Oct"),
    N_("Nov"),
    N_("Dec"),
)


@dataclass(frozen=True, slots=True)
class Language:
    """A language: its tag, its texts, and the abbreviated names of the months, January first."""

    tag: str
    texts: gettext.NullTranslations
    months: tuple[str, ...]

    def gettext(self, text: str) -> str:
        """Return the translation of a text."""
        return self.texts.gettext(text)

    def ngettext(self, one: str, many: str, number: int) -> str:
        """Return the translation of a text in the form that a number needs."""
        return self.texts.ngettext(one, many, number)


class Languages:
    """All languages of the desk, by their tags."""

    def __init__(self, folder: Path = LOCALES) -> None:
        self._languages: Final = {path.parent.name: _language(path) for path in sorted(folder.glob(f"*/{CATALOGUE}"))}
        self.english: Final = self._languages[ENGLISH]

    @property
    def all(self) -> Mapping[str, Language]:
        """The languages by tag."""
        return self._languages

    def chosen(self, preferred: str | None, accept_language: str) -> Language:
        """Return the language of a person, else the first that the browser accepts, else English.

        `preferred` is a tag of BCP 47, whose region does not matter; `accept_language` is the header.
        """
        tags = ([] if preferred is None else [preferred]) + _accepted(accept_language[:_MAX_HEADER_LENGTH])
        known = (self._languages.get(tag.partition("-")[0].lower()) for tag in tags)
        return next((language for language in known if language is not None), self.english)


@lru_cache(maxsize=_KNOWN_HEADERS)
def _accepted(header: str) -> list[str]:
    """Return the tags of an Accept-Language header, the most wanted first (RFC 9110, 12.5.4)."""
    weighted = []
    for item in header.split(","):
        tag, _, parameter = item.partition(";")
        weight = parameter.strip().removeprefix("q=") if parameter else "1"
        try:
            weighted.append((float(weight), tag.strip()))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(weighted, key=lambda each: -each[0]) if weight > 0]


def _language(path: Path) -> Language:
    tag = path.parent.name
    with path.open("rb") as file:
        catalogue = read_po(file, locale=tag)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    texts = gettext.GNUTranslations(compiled)
    return Language(tag, texts, tuple(map(texts.gettext, _MONTHS)))
