"""Merges two changes of one ticket, made from the same version of it.

base     the values of the version that the writer saw
theirs   the values now
mine     the values that the writer sent: some of the fields, or all

Everything here is pure: values in, values out. Custom fields stand beside the others, as `custom.KEY`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from models import EventType
from schemas.events import Event

CUSTOM: Final = "custom."
_LISTS: Final = frozenset({"tags"})

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that both changed, to different values."""

    field: str
    base: Any
    theirs: Any
    mine: Any


@dataclass(frozen=True, slots=True)
class Merge:
    """What to change in `theirs` so that nothing of `mine` is lost, and the fields that a person has to decide."""

    changes: Values
    conflicts: Sequence[Conflict]


def flat(ticket: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """Return some fields of a ticket, and its custom fields as `custom.KEY`."""
    return {name: ticket[name] for name in fields} | {CUSTOM + key: value for key, value in ticket["custom"].items()}


def nested(values: Values) -> dict[str, Any]:
    """Return the values as the body of a PATCH has them: custom fields in their own object."""
    plain = {name: value for name, value in values.items() if not name.startswith(CUSTOM)}
    custom = {name.removeprefix(CUSTOM): value for name, value in values.items() if name.startswith(CUSTOM)}
    return plain | {"custom": custom} if custom else plain


def base_of(now: Values, events: Sequence[Event]) -> dict[str, Any]:
    """Return the values before the events, which come in their order and end at the version of `now`."""
    values = dict(now)
    for event in reversed(events):
        members: Mapping[str, Any] = event.data
        changes = dict(members) | {CUSTOM + key: change for key, change in members.get("custom", {}).items()}
        for name, change in changes.items():
            if (name in values or name.startswith(CUSTOM)) and isinstance(change, Mapping) and "from" in change:
                values[name] = change["from"]
    return values


def merge(base: Values, theirs: Values, mine: Values) -> Merge:
    """Return the changes that add `mine` to `theirs`. A field that only one side changed is no conflict."""
    changes: dict[str, Any] = {}
    conflicts: list[Conflict] = []
    for name, wanted in mine.items():
        before, now = base.get(name), theirs.get(name)
        if wanted in (before, now):
            continue
        if now == before:
            changes[name] = wanted
        elif name in _LISTS:
            merged = merged_list(before or (), now or (), wanted or ())
            if merged != sorted(now or ()):
                changes[name] = merged
        else:
            conflicts.append(Conflict(name, before, now, wanted))
    return Merge(changes, conflicts)


def merged_list(base: Iterable[str], theirs: Iterable[str], mine: Iterable[str]) -> list[str]:
    """Return a list with what either side added, without what either side removed, sorted."""
    before, now, wanted = set(base), set(theirs), set(mine)
    return sorted((now | (wanted - before)) - (before - wanted))


def public_comments(events: Iterable[Event]) -> list[int]:
    """Return the ids of the public comments among events. A reply that was written without them is refused."""
    return [event.data["comment_id"] for event in events if event.type == EventType.COMMENTED]
