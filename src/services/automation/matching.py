"""Whether a ticket matches the conditions of a policy or a rule."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from schemas.matching import TicketMatch

# The fields of a ticket that conditions are on: a change of one may change what matches.
MATCHED: Final = frozenset({"priority", "group_id", "tags", "custom", "email"})

Field = Callable[[str], Any]


def matches(match: TicketMatch, field: Field, custom: Mapping[str, Any]) -> bool:
    """Return whether a ticket matches. `field` returns the value of a column, `custom` has those of custom fields."""
    if match.priority and field("priority") not in match.priority:
        return False
    if match.group_id and field("group_id") not in match.group_id:
        return False
    if match.tag and not set(match.tag).intersection(field("tags")):
        return False
    # The domains of the addresses of tickets are in lower case.
    if match.domain and field("email").rpartition("@")[2] not in match.domain:
        return False
    return all(_has_one_of(custom.get(key), wanted) for key, wanted in match.custom.items())


def _has_one_of(value: object, wanted: Sequence[str]) -> bool:
    """Return whether a value of a custom field, or of a list one of its options, is wanted."""
    values = value if isinstance(value, list) else [value]
    return any(_as_text(each) in wanted for each in values if each is not None)


def _as_text(value: object) -> str:
    """Return a value as PostgreSQL's `->>` does, and as the filters of lists write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):  # PostgreSQL writes it without an exponent
        return format(Decimal(repr(value)), "f")
    return str(value)
