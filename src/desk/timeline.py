"""The timeline of a ticket: every version, with its actor, its time, and each value before and after."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Response
from pydantic import ValidationError

from desk import words
from desk.desk_request import DeskRequest
from desk.languages import N_
from desk.list_query import invalid
from desk.times import ShownTime
from schemas.events import Event
from schemas.lists import Paging
from services.directory.staff import Staff

_PER_PAGE: Final = 100
# Where a change came from, by the kind of its principal: the part of the id before the colon.
_SOURCES: Final[Mapping[str, str]] = {
    "key": N_("by a program, over the API"),
    "person": N_("by a person"),
    "oidc": N_("by a person"),
    "system": N_("by the service itself"),
    "anonymous": N_("without a sign-in"),
}
_SHOWN_TEXT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Change:
    """A value before and after; None for none."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A version: what was done, and by which principal."""

    version: int
    what: str
    actor: str
    source: str
    at: ShownTime
    changes: Sequence[Change]
    facts: Sequence[tuple[str, str]]
    comment_id: int | None
    is_internal: bool


async def timeline_page(asked: DeskRequest, ticket_id: int) -> Response:
    """Return a page of the timeline. Raises RequestValidationError, TicketNotFound, InvalidCursor."""
    try:
        paging = Paging(limit=_PER_PAGE, cursor=asked.request.query_params.get("cursor") or None)
    except ValidationError as error:
        raise invalid(error, "query") from None
    page = await asked.services.lists.history(ticket_id, paging, asked.principal)
    staff = await asked.services.staff.current()
    names = await asked.services.staff.names_of(event.actor for event in page.items)
    labels = {each.key: each.label for each in (await asked.services.fields.all(asked.principal)).items}
    maker = _EntryMaker(asked, staff, names, labels)
    entries = [maker.entry(event) for event in page.items]
    return asked.page("timeline.html", {"ticket_id": ticket_id, "entries": entries, "next_cursor": page.next_cursor})


class _EntryMaker:
    def __init__(self, asked: DeskRequest, staff: Staff, names: Mapping[str, str], labels: Mapping[str, str]) -> None:
        self._text = asked.text
        self._clock = asked.clock
        self._staff = staff
        self._names = names
        self._labels = labels

    def entry(self, event: Event) -> Entry:
        source = _SOURCES.get(event.actor.partition(":")[0], "")
        return Entry(
            event.version,
            self._text(words.EVENTS.get(event.type, event.type)),
            self._names.get(event.actor, event.actor),
            self._text(source) if source else "",
            self._clock.show(event.created_at),
            list(self._changes(event.data)),
            list(self._facts(event.data)),
            event.data.get("comment_id"),
            event.type == "noted",
        )

    def _changes(self, data: Mapping[str, Any]) -> Iterator[Change]:
        for name, change in data.items():
            if name == "custom":
                for key, each in change.items():
                    yield Change(self._labels.get(key, key), _plain(each["from"]), _plain(each["to"]))
            elif isinstance(change, Mapping) and change.keys() == {"from", "to"}:
                label = self._text(words.FIELDS[name]) if name in words.FIELDS else name
                yield Change(label, self._shown(name, change["from"]), self._shown(name, change["to"]))

    def _facts(self, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the members that are no change of a value, and no comment."""
        for name, fact in data.items():
            is_change = isinstance(fact, Mapping) and fact.keys() == {"from", "to"}
            if name not in {"custom", "comment_id"} and not is_change:
                label = self._text(words.FACTS[name]) if name in words.FACTS else name
                yield label, self._fact(name, fact)

    def _fact(self, name: str, fact: Any) -> str:  # noqa: ANN401 - a member of an event
        if name in {"link_added", "link_removed"}:
            return f"{self._text(words.LINKS[fact['type']])} #{fact['ticket_id']}"
        if name == "sla_clock":
            return self._text(words.CLOCKS[fact["kind"]])
        if name == "closes_at":
            return self._clock.show(fact).full
        return f"#{fact}" if name in {"follow_up_id", "merged_from", "unmerged_from"} else _plain(fact) or ""

    def _shown(self, name: str, value: Any) -> str | None:  # noqa: ANN401 - what the field holds
        if value is None:
            return None
        if name == "status":
            return self._text(words.STATUSES[value])
        if name == "priority":
            return self._text(words.PRIORITIES[value])
        if name == "assignee_id":
            return self._staff.name_of(value)
        if name == "group_id":
            return self._staff.group_name(value)
        return self._clock.show(value).full if name == "auto_close_at" else _plain(value)


def _plain(value: object) -> str | None:
    """Return a value as text, the beginning of a long one."""
    if value is None:
        return None
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]}…"
