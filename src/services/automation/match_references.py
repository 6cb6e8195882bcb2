"""Checks what the conditions of a policy or a rule refer to when an admin writes them: groups and custom fields."""

from collections.abc import Mapping
from typing import Final, TypeVar

from sqlalchemy import ARRAY, BigInteger, bindparam, select

from core.errors import Fault, InvalidFields, InvalidReference
from db.postgres.session import Session
from db.postgres.statements import Statement
from models import FieldType
from schemas.custom_fields import CustomField
from schemas.matching import TicketMatch
from services.directory.statements import groups
from services.fields.definitions import FieldSet, read_all
from services.fields.values import filter_text

_WITH_OPTIONS: Final = (FieldType.SELECT, FieldType.MULTISELECT)
_KNOWN_GROUPS: Final = Statement(
    select(groups.c.id).where(groups.c.id == bindparam("ids", type_=ARRAY(BigInteger)).any_())
)

Step = str | int
Match = TypeVar("Match", bound=TicketMatch)


async def checked_match(connection: Session, match: Match, *steps: Step) -> Match:
    """Return conditions with the values of custom fields in the form in which they are compared.

    `steps` lead to the conditions in the request. Raises InvalidReference for a condition that no ticket can meet,
    because what it names does not exist, or because no value of the custom field is written so.
    """
    faults: list[Fault] = []
    if match.group_id:
        known = {row.id for row in await connection.rows(_KNOWN_GROUPS, ids=match.group_id)}
        faults += [
            Fault("must be the id of a group", *steps, "group_id", index)
            for index, group_id in enumerate(match.group_id)
            if group_id not in known
        ]
    custom = _compared(match.custom, await read_all(connection), faults, (*steps, "custom")) if match.custom else {}
    if faults:
        raise InvalidReference(*faults)
    return match.model_copy(update={"custom": custom}) if custom != match.custom else match


def _compared(
    custom: Mapping[str, list[str]], fields: FieldSet, faults: list[Fault], steps: tuple[Step, ...]
) -> dict[str, list[str]]:
    """Return the values by key in the form in which they are compared; add a fault for each that is wrong."""
    values: dict[str, list[str]] = {}
    for key, texts in custom.items():
        if key not in fields:
            faults.append(Fault("no custom field has this key", *steps, key))
            continue
        values[key] = []
        for index, text in enumerate(texts):
            try:
                values[key].append(_text(fields[key], text))
            except InvalidFields as error:
                faults.append(Fault(error.faults[0].detail, *steps, key, index))
    return values


def _text(field: CustomField, text: str) -> str:
    if field.type in _WITH_OPTIONS and text not in field.options:
        raise InvalidFields(Fault("must be one of the options of the field"))
    return filter_text(field, text)
