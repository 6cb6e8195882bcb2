"""The filters of a list: what a principal may filter by, and the parameters of the page's statement."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.errors import Fault, Forbidden, InvalidFields
from models import Priority, TicketStatus
from schemas.lists import TicketFilters, TicketQuery
from services.access.principal import Principal
from services.fields.definitions import FieldSet
from services.fields.values import filter_text
from services.tickets.page_shape import Driving

ME: Final = "me"
NONE: Final = "none"
# The facets of custom fields are cut at this length. The conditions compare the whole value.
_FACET_LENGTH: Final = 200
_OF_AGENTS: Final = ("assignee", "group", "tag", "external_id", "source", "due_before", "sla", "snoozed")
# The statuses in which a clock runs, so that a ticket has `due_at`.
_DUE: Final = frozenset({TicketStatus.OPEN, TicketStatus.AWAITING_REPLY})
_NOT_FILTERS: Final = frozenset({"limit", "cursor", "sort", "by"})


@dataclass(frozen=True, slots=True)
class ListFilters:
    """The parameters of the filters by name, and the facets that find the tickets."""

    values: Mapping[str, Any]
    facets: tuple[str, ...]
    driving: Driving

    @property
    def list_key(self) -> str:
        """The filters as a text, for cursors, with one spelling of each email address.

        PostgreSQL compares the email addresses of the tickets themselves (`services.access.email_addresses`).
        """
        addresses = ("email", "requester", "participant")
        folded = {name: self.values[name].casefold() for name in addresses if name in self.values}
        return json.dumps({**self.values, **folded}, default=str)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the statement."""
        return {**self.values, "facets": list(self.facets)}


def list_filters(query: TicketFilters, principal: Principal, fields: FieldSet | None) -> ListFilters:
    """Return the filters of a query, and for a requester the one that restricts the list to what they see.

    `fields` is needed for filters by custom fields. Raises Forbidden, InvalidFields.
    """
    sent = {name: value for name, value in query if name not in _NOT_FILTERS and value is not None and value != []}
    if principal.requester_email is not None:
        _ensure_permitted(sent)
        sent["requester"] = principal.requester_email
    if "status" in sent:
        sent["status"] = sorted(set(sent["status"]))
    _restrict_to_due(sent, query)
    _name_caller(sent, principal)
    single = [f"tag:{tag}" for tag in sent.get("tag", ())]
    several: list[list[str]] = []
    for name in ("assignee", "group", "priority", "sla"):
        if name in sent:
            facets = _split(sent, name, principal)
            if len(facets) == 1:
                single += facets
            elif facets:
                several.append(facets)
    if query.custom:
        assert fields is not None  # noqa: S101 - the caller passes them with these filters
        single += _add_custom(sent, query.custom, principal, fields)
    # The statement makes the facet of a participant, because PostgreSQL alone knows its key.
    count = len(single) + ("participant" in sent)
    if count:
        return ListFilters(sent, tuple(single), Driving.RAREST if count > 1 else Driving.ALL)
    if several:
        return ListFilters(sent, tuple(several[0]), Driving.ALL)
    return ListFilters(sent, (), Driving.NONE)


def ensure_may_sort_by_due(principal: Principal) -> None:
    """Raise Forbidden for a requester, who does not see when a ticket is due."""
    if principal.requester_email is not None:
        raise Forbidden("a requester may not sort by due", Fault("only agents sort by this", "query", "sort"))


def _ensure_permitted(sent: Mapping[str, Any]) -> None:
    refused = [name for name in _OF_AGENTS if name in sent]
    if refused:
        faults = [Fault("only agents filter by this", "query", name) for name in refused]
        raise Forbidden(f"a requester may not filter by {', '.join(refused)}", *faults)


def _restrict_to_due(sent: dict[str, Any], query: TicketFilters) -> None:
    """Leave out the statuses in which no ticket has `due_at`: a page would be looked for among all their tickets."""
    if "due_before" in sent or (isinstance(query, TicketQuery) and query.sort == "due"):
        sent["status"] = sorted(_DUE.intersection(sent.get("status", _DUE)))


def _name_caller(sent: dict[str, Any], principal: Principal) -> None:
    """Replace the value of the filter `snoozed` by the id of the caller, the parameter of the statement."""
    if "snoozed" in sent:
        sent["snoozed" if sent.pop("snoozed") else "not_snoozed"] = principal.id


def _split(sent: dict[str, Any], name: str, principal: Principal) -> list[str]:
    """Replace the alternatives of a filter by the parameters of the statement, and return their facets.

    Tickets without an assignee or a group, and those of priority normal, have no facet: then there are none.
    """
    wanted = list(dict.fromkeys(principal.id if (name, each) == ("assignee", ME) else each for each in sent.pop(name)))
    if values := [int(each) if name == "group" else each for each in wanted if each != NONE]:
        sent[name] = values
    if NONE in wanted:
        sent[f"no_{name}"] = True
    return [] if NONE in wanted or Priority.NORMAL in wanted else [f"{name}:{each}" for each in wanted]


def _add_custom(sent: dict[str, Any], custom: Mapping[str, str], principal: Principal, fields: FieldSet) -> list[str]:
    """Add the parameters of the filters by custom fields, and return their facets."""
    texts = {}
    for key, text in custom.items():
        field = fields.get(key)
        if field is None or (principal.requester_email is not None and not field.visible_to_requester):
            raise InvalidFields(Fault("unknown field", "query", f"custom.{key}"))
        texts[key] = filter_text(field, text)
    sent["custom_keys"], sent["custom_texts"] = list(texts), list(texts.values())
    return [f"custom.{key}:{text[:_FACET_LENGTH]}" for key, text in texts.items()]
