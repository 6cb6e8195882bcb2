"""The validation of the values of custom fields: the only place that knows what each type accepts."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from pydantic_core import PydanticCustomError

from core.errors import Fault, FieldsRequired, InvalidFields
from models import FieldType, RequiredAt
from schemas.custom_fields import CustomField
from schemas.fields import storable_text
from services.fields.definitions import FieldSet

MAX_TEXT_LENGTH: Final = 1000
MAX_NUMBER: Final = 10**15
_JSON_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")

# Where a value is wrong: the steps into the value, and the reason.


class _Wrong(Exception):
    """A value does not fit the type of its field."""

    def __init__(self, reason: str, *steps: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps = steps


def changed_values(fields: FieldSet, sent: Mapping[str, object], *, is_requester: bool) -> dict[str, Any]:
    """Return the values in their canonical form, in which they are stored; None removes a value.

    A requester sets only the fields that requesters see. Raises InvalidFields.
    """
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for key, value in sent.items():
        field = fields.get(key)
        if field is None or (is_requester and not field.visible_to_requester):
            faults.append(Fault("unknown field", "body", "custom", key))
            continue
        try:
            values[key] = None if value is None else _canonical(field, value)
        except _Wrong as wrong:
            faults.append(Fault(wrong.reason, "body", "custom", key, *wrong.steps))
    if faults:
        raise InvalidFields(*faults)
    return values


def ensure_complete(fields: FieldSet, values: Mapping[str, object], at: RequiredAt, *, is_requester: bool) -> None:
    """Raise FieldsRequired if a field that is required at this time has no value.

    A requester cannot set the fields that they do not see: these are required of others only.
    """
    required = [key for key in fields.required[at] if not is_requester or key in fields.visible_keys]
    missing = [key for key in required if values.get(key) is None]
    if missing:
        raise FieldsRequired(missing, at)


def filter_text(field: CustomField, text: str) -> str:
    """Return the text of a value that PostgreSQL's `#>> '{}'` gives, for the text of a list filter `custom.KEY`.

    Raises InvalidFields.
    """
    try:
        return _parsed(field, text)
    except _Wrong as wrong:
        raise InvalidFields(Fault(wrong.reason, "query", f"custom.{field.key}")) from wrong


def _parsed(field: CustomField, text: str) -> str:
    if field.type is FieldType.NUMBER:
        if not _JSON_NUMBER.fullmatch(text):
            raise _Wrong("must be a number")
        # PostgreSQL writes a number without an exponent, Python a small one with it.
        return format(Decimal(repr(_number(field, float(text)))), "f")
    if field.type is FieldType.BOOLEAN:
        if text not in {"true", "false"}:
            raise _Wrong("must be true or false")
        return text
    if field.type is FieldType.DATE:
        return _date(field, text)
    if "\0" in text:
        raise _Wrong("must not contain the NUL character")
    return text  # an option that was removed, or a text of any form, can be searched for too


def _canonical(field: CustomField, value: object) -> object:
    if field.archived:
        raise _Wrong("the field is archived and takes no more values")
    return _TYPES[field.type](field, value)


def _text(_field: CustomField, value: object) -> str:
    if not isinstance(value, str):
        raise _Wrong("must be a text")
    if len(value) > MAX_TEXT_LENGTH:
        raise _Wrong(f"must have at most {MAX_TEXT_LENGTH} characters")
    if not _is_unicode(value):
        raise _Wrong("must not contain half of a surrogate pair")
    try:
        return storable_text(value)
    except PydanticCustomError as error:
        raise _Wrong(error.message()) from None


def _is_unicode(text: str) -> bool:
    r"""Return whether a text can be stored: JSON can contain half of a surrogate pair, as in `"\ud800"`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(_field: CustomField, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong("must be a number")
    # NaN fails this comparison too, and an integer of any length can be compared.
    if not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise _Wrong(f"must be between -{MAX_NUMBER} and {MAX_NUMBER}")
    return int(value) if value == int(value) else value


def _boolean(_field: CustomField, value: object) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("must be true or false")
    return value


def _date(_field: CustomField, value: object) -> str:
    if not isinstance(value, str) or not _is_date(value):
        raise _Wrong("must be a date, written as 2026-03-02")
    return value


def _is_date(text: str) -> bool:
    try:
        # The form is compared, because the parser accepts others too, for example 20260302.
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _select(field: CustomField, value: object) -> str:
    if not isinstance(value, str) or value not in field.options:
        raise _Wrong("must be one of the options of the field")
    return value


def _multiselect(field: CustomField, value: object) -> list[str] | None:
    if not isinstance(value, list):
        raise _Wrong("must be a list of options of the field")
    chosen: set[str] = set()
    for index, each in enumerate(value):
        if not isinstance(each, str) or each not in field.options:
            raise _Wrong("must be one of the options of the field", index)
        if each in chosen:
            raise _Wrong("must not be the same option again", index)
        chosen.add(each)
    return [option for option in field.options if option in chosen] or None


_TYPES: Final[Mapping[FieldType, Callable[[CustomField, object], object]]] = {
    FieldType.TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.SELECT: _select,
    FieldType.MULTISELECT: _multiselect,
}
