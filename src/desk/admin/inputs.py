"""The inputs of a form of the administration, and the values that are in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from desk.forms import Form

YES: Final = "true"
ID_DIGITS: Final = 19


class InputKind(StrEnum):
    """How an input is shown."""

    TEXT = "text"
    EMAIL = "email"
    NUMBER = "number"
    DATE = "date"
    TEXTAREA = "textarea"
    CHECKBOX = "checkbox"
    SELECT = "select"
    CHECKS = "checks"
    """Checkboxes, of which any number can be ticked."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input. `label`, `hint` and the words of `options` (value, word) are translated where they are shown.

    `are_names` says that the words of the options are names of people or groups, which are not translated.
    """

    name: str
    label: str
    kind: InputKind = InputKind.TEXT
    options: Sequence[tuple[str, str]] = ()
    hint: str = ""
    is_required: bool = False
    are_names: bool = False
    max_length: int = 1_000


class Values(dict[str, list[str]]):
    """The values of inputs, by their names: lists of texts, without empty ones."""

    def text(self, name: str) -> str:
        """Return the text of an input; empty without one."""
        return next(iter(self.get(name, ())), "")

    def text_or_none(self, name: str) -> str | None:
        """Return the text of an input; None without one."""
        return self.text(name) or None

    def number(self, name: str, unit: float = 1) -> int | str | None:
        """Return a number times `unit`; None without one; the text itself if it is none, which the service refuses."""
        text = self.text(name).strip()
        try:
            return round(float(text.replace(",", ".")) * unit) if text else None
        except (ValueError, OverflowError):
            return text

    def lines(self, name: str) -> list[str]:
        """Return the lines of an input, without blank ones."""
        return [line.strip() for line in self.text(name).splitlines() if line.strip()]

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """Return the lines `key = value` of an input; the value of a line without a sign is empty."""
        parts = (line.partition("=") for line in self.lines(name))
        return [(key.strip(), value.strip()) for key, _, value in parts]

    def flag(self, name: str) -> bool:
        """Return whether a checkbox is ticked."""
        return self.text(name) == YES


def values_of(inputs: Iterable[Input], form: Form) -> Values:
    """Return what a form has sent."""
    return Values({each.name: [value for value in form.all(each.name) if value.strip()] for each in inputs})


def as_values(stored: Mapping[str, Any]) -> Values:
    """Return stored values as inputs show them: None is empty, and a list is a number of ticked checkboxes."""
    return Values({name: _texts(value) for name, value in stored.items()})


def id_or_text(text: str) -> int | str:
    """Return an id as a number; the text itself if it is none, which the service refuses."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < ID_DIGITS else text


def in_units(seconds: int | None, unit: int) -> str | None:
    """Return a time in minutes or hours, as an input shows it."""
    return None if seconds is None else f"{seconds / unit:.6f}".rstrip("0").rstrip(".")


def changed_names(inputs: Iterable[Input], stored: Values, sent: Values) -> set[str]:
    """Return the names of the inputs whose values are not the stored ones."""
    return {each.name for each in inputs if _comparable(each, stored) != _comparable(each, sent)}


def _texts(value: object) -> list[str]:
    if isinstance(value, bool):
        return [YES] if value else []
    if isinstance(value, (list, tuple)):
        return [str(each) for each in value]
    return [] if value in {None, ""} else [str(value)]


def _comparable(each: Input, values: Values) -> object:
    if each.kind is InputKind.CHECKS:
        return set(values.get(each.name, ()))
    if each.kind is InputKind.TEXTAREA:
        return [line.rstrip() for line in values.text(each.name).strip().splitlines()]
    return values.text(each.name)
