"""A service with an admin, an agent and a requester, and definitions of fields without a service."""

from datetime import UTC, datetime
from typing import Any

from directory.conftest import Directory, directory, directory_sql
from models import FieldType, RequiredAt
from schemas.custom_fields import CustomField
from services.fields.definitions import FieldSet
from support.factories import JSON

__all__ = ["directory", "directory_sql"]

COLORS = ["red", "green", "blue"]


def a_field(key: str, field_type: FieldType | str = FieldType.TEXT, **others: Any) -> JSON:
    """Return the body of a valid new field."""
    options = COLORS if "select" in field_type else []
    return {"key": key, "label": "Field", "type": str(field_type), "options": options} | others


def definition(key: str, field_type: FieldType, **others: Any) -> CustomField:
    """Return a definition as it is read from the database."""
    at = datetime.now(UTC)
    defaults: JSON = {
        "required": RequiredAt.NEVER,
        "visible_to_requester": True,
        "archived": False,
        "version": 1,
        "created_at": at,
        "updated_at": at,
    }
    return CustomField.model_validate(a_field(key, field_type) | defaults | others)


def fields_of(*definitions: CustomField) -> FieldSet:
    return FieldSet({field.key: field for field in definitions})


# One field of each type, by the name of the type.
EVERY_TYPE = fields_of(*(definition(str(each), each) for each in FieldType))


async def shown_fields(directory: Directory, key: str) -> list[JSON]:
    """Return the fields of the requester's list that have a key."""
    items: list[JSON] = (await directory.requester.get("/fields")).json()["items"]
    return [field for field in items if field["key"] == key]
