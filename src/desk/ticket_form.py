"""The form of a ticket's fields: what it shows, and the values that were sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from desk.desk_request import DeskRequest
from desk.forms import Form
from desk.merge import CUSTOM
from models import FieldType
from schemas.custom_fields import CustomField
from services.directory.staff import Staff

FIELDS: Final = ("subject", "text", "priority", "assignee_id", "group_id", "tags")
# The fields that a browser changes: a line has no line breaks, and a text has LF alone.
_LINE: Final = str.maketrans("", "", "\r\n")


@dataclass(frozen=True, slots=True)
class FieldForm:
    """The form, with the values that it shows; `email` is of a new ticket alone."""

    values: Mapping[str, Any]
    custom_fields: Sequence[CustomField]
    staff: Staff
    version: int | None = None
    email: str = ""
    key: str = ""

    @property
    def tags(self) -> str:
        """The tags as one text."""
        return ", ".join(self.values.get("tags") or ())

    def custom(self, field: CustomField) -> Any:  # noqa: ANN401 - what the field holds
        """Return the value of a custom field; an empty text for none."""
        value = self.values.get(CUSTOM + field.key)
        return "" if value is None else value


async def field_form(asked: DeskRequest, values: Mapping[str, Any], **others: Any) -> FieldForm:  # noqa: ANN401 - of FieldForm
    """Return the form with values. Raises what the lists of fields and staff raise."""
    fields = (await asked.services.fields.all(asked.principal, archived=False)).items
    return FieldForm(values, fields, await asked.services.staff.current(), **others)


def sent_values(form: Form, fields: Sequence[CustomField]) -> dict[str, Any]:
    """Return the values of a form, of the types that the API has. The service validates them."""
    values: dict[str, Any] = {name: form[name] for name in ("subject", "text", "priority") if name in form}
    if "assignee_id" in form:
        values["assignee_id"] = form["assignee_id"] or None
    if "group_id" in form:
        values["group_id"] = form.number("group_id") if form["group_id"] else None
    if "tags" in form:
        values["tags"] = sorted({tag.strip().lower() for tag in form["tags"].split(",")} - {""})
    for field in fields:
        if (name := CUSTOM + field.key) in form:
            values[name] = custom_value(field, form.all(name))
    return values


def as_shown(values: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return values that were sent, with the stored ones in place of those that only the browser changed."""
    same = dict(values)
    for name, value in values.items():
        known = stored.get(name)
        if isinstance(known, str) and isinstance(value, str):
            lines = known.replace("\r\n", "\n").replace("\r", "\n")
            if value in {lines, known.translate(_LINE)} and (name != "text" or value == lines):
                same[name] = known
    return same


def custom_value(field: CustomField, sent: Sequence[str]) -> Any:  # noqa: ANN401 - what the field holds
    """Return the value of a custom field; None for an empty one."""
    given = [value for value in sent if value.strip()]
    if not given:
        return None
    if field.type is FieldType.MULTISELECT:
        return given
    if field.type is FieldType.BOOLEAN:
        return given[0] == "true"
    return _number(given[0]) if field.type is FieldType.NUMBER else given[0]


def shown_value(value: object) -> str:
    """Return the value of a custom field as pages show it."""
    if isinstance(value, bool):
        return "✓" if value else "✗"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _number(text: str) -> int | float | str:
    """Return a number, or the text itself if it is none: the service refuses that."""
    for kind in (int, float):
        try:
            return kind(text.strip().replace(",", "."))
        except ValueError:
            continue
    return text
