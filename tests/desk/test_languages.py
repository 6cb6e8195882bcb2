"""The catalogues and the sources have the same texts, and every text has its translation."""

import re
from pathlib import Path

import pytest

from catalogues import catalogue_of, extracted, updated, written
from desk.key_table import KEYS
from desk.languages import CATALOGUE, LOCALES, Languages
from desk.pages import TEMPLATES

PATHS = sorted(LOCALES.glob(f"*/{CATALOGUE}"))
PLACEHOLDER = re.compile(r"%\([a-z]+\)s|\{[a-z]+\}")


def test_there_are_english_and_russian() -> None:
    assert [path.parent.name for path in PATHS] == ["en", "ru"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.parent.name)
def test_the_catalogue_is_what_the_sources_need(path: Path) -> None:
    assert path.read_bytes() == written(updated(path))


def test_nothing_in_russian_is_missing_or_fuzzy() -> None:
    for message in catalogue_of(LOCALES / "ru" / CATALOGUE):
        strings = message.string if isinstance(message.string, list | tuple) else [message.string]
        assert all(strings), message.id
        assert not message.fuzzy, message.id


def test_translations_have_the_same_placeholders() -> None:
    for message in catalogue_of(LOCALES / "ru" / CATALOGUE):
        originals, strings = _texts(message.id), _texts(message.string)
        for string in strings:
            assert set(PLACEHOLDER.findall(string)) == set(PLACEHOLDER.findall(originals[-1]))


def test_english_is_the_key() -> None:
    english = Languages().english
    for message in extracted():
        for text in _texts(message.id):
            assert not text or english.gettext(text) == text


def _texts(of_message: object) -> list[str]:
    """Return the texts of a message, which has several if a number chooses among them."""
    return [str(text) for text in of_message] if isinstance(of_message, list | tuple) else [str(of_message)]


@pytest.mark.parametrize(
    ("preferred", "header", "tag"),
    [
        (None, "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        (None, "de, en;q=0.5, ru;q=0.7", "ru"),
        ("en-GB", "ru", "en"),
        ("de", "ru", "ru"),
        (None, "", "en"),
        (None, "ru;q=0, fr", "en"),
        (None, "ru;q=x, *;q=0.5", "en"),
    ],
)
def test_the_language_is_the_persons_then_the_browsers_then_english(
    preferred: str | None, header: str, tag: str
) -> None:
    assert Languages().chosen(preferred, header).tag == tag


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_a_template_has_no_text_of_its_own(path: Path) -> None:
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", " ", path.read_text(), flags=re.DOTALL)
    keys = {part for key, _ in KEYS for part in re.split(r"[ +]", key)}
    words = {word for word in re.findall(r"[^\W\d_]{2,}", source) if word not in keys}
    assert words == set()
