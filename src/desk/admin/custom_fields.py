"""Custom fields."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import Response

from desk.admin.area import Area, Change, Listing, Row, Stored, members_of, new_of
from desk.admin.inputs import Input, InputKind, Values, as_values
from desk.desk_request import DeskRequest
from desk.languages import N_
from desk.validation import validated
from models import FieldType, RequiredAt
from schemas.custom_fields import CustomFieldCreate, CustomFieldPatch

_TYPES: Final = (
    (FieldType.TEXT.value, N_("Text")),
    (FieldType.NUMBER.value, N_("Number")),
    (FieldType.BOOLEAN.value, N_("Yes or no")),
    (FieldType.DATE.value, N_("Date")),
    (FieldType.SELECT.value, N_("One of several options")),
    (FieldType.MULTISELECT.value, N_("Any of several options")),
)
_REQUIRED: Final = (
    (RequiredAt.NEVER.value, N_("Never")),
    (RequiredAt.CREATE.value, N_("To create a ticket")),
    (RequiredAt.CLOSE.value, N_("To close a ticket")),
)
_NEW: Final = (
    Input("key", N_("Key"), is_required=True, hint=N_("The name in the API, such as device. It never changes.")),
    Input("type", N_("Type"), InputKind.SELECT, _TYPES, hint=N_("It never changes.")),
)
_INPUTS: Final = (
    Input("label", N_("Name"), is_required=True, max_length=100),
    Input("options", N_("Options"), InputKind.TEXTAREA, hint=N_("One on each line, for the types with options.")),
    Input("required", N_("A value is required"), InputKind.SELECT, _REQUIRED),
    Input("visible_to_requester", N_("Requesters see and set it"), InputKind.CHECKBOX),
)
_ARCHIVED: Final = Input("archived", N_("Archived: takes no more values"), InputKind.CHECKBOX)


class FieldArea(Area):
    """Custom fields. They are never deleted, because tickets have values of them."""

    slug = "fields"
    title = N_("Custom fields")
    about = N_("What tickets have beside the usual fields.")
    new = N_("New custom field")

    async def listing(self, asked: DeskRequest) -> Listing:
        """Return the fields in the order of their keys."""
        types = {value: asked.text(word) for value, word in _TYPES}
        rows = [
            Row(
                each.key,
                (each.label, each.key, types[each.type], asked.text(N_("yes") if each.archived else N_("no"))),
            )
            for each in (await asked.services.fields.all(asked.principal)).items
        ]
        return Listing((N_("Name"), N_("Key"), N_("Type"), N_("Archived")), rows)

    async def inputs(self, asked: DeskRequest, *, is_new: bool) -> Sequence[Input]:
        """Return the inputs of a field."""
        return (*_NEW, *_INPUTS) if is_new else (*_INPUTS, _ARCHIVED)

    async def stored(self, asked: DeskRequest, key: str) -> Stored:
        """Return a field."""
        found = await asked.services.fields.find(key, asked.principal)
        values = as_values(found.model_dump() | {"options": "\n".join(found.options)})
        facts = [(N_("Key"), found.key), (N_("Type"), asked.text(dict(_TYPES)[found.type]))]
        return Stored(found.label, values, found.version, facts)

    async def create(self, asked: DeskRequest, values: Values) -> Response | None:
        """Create a field."""
        body = _body(values) | {"key": values.text("key"), "type": values.text("type")}
        await asked.services.fields.create(new_of(CustomFieldCreate, body), asked.principal)
        return None

    async def change(self, asked: DeskRequest, key: str, change: Change) -> None:
        """Change a field."""
        body = _body(change.values) | {"archived": change.values.flag("archived")}
        patch = validated(CustomFieldPatch, **members_of(body, change.names, {}))
        await asked.services.fields.change(key, patch, asked.principal, expected=change.expected)


def _body(values: Values) -> dict[str, Any]:
    return {
        "label": values.text("label"),
        "options": values.lines("options"),
        "required": values.text("required"),
        "visible_to_requester": values.flag("visible_to_requester"),
    }
