"""The rules on the fields that agents work with: who may set them, and which values exist."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from core.errors import Fault, Forbidden
from models import RequiredAt, TicketStatus
from schemas.tickets import TicketCreate, TicketPatch
from services.access.principal import Principal
from services.directory.assignees import Assignees
from services.fields.definitions import FieldDefinitions, FieldSet
from services.fields.values import changed_values, ensure_complete
from services.tickets.edited_ticket import EDITABLE, EditedTicket
from services.tickets.new_ticket import NewTicket

# A requester sets the others, and the custom fields that they see.
_OF_AGENTS: Final = frozenset({"priority", "assignee_id", "group_id", "tags", "source", "external_id"})


@dataclass(frozen=True, slots=True)
class CheckedPatch:
    """A patch of a principal whose values are valid, with the definitions of the custom fields at this time."""

    patch: TicketPatch
    custom: Mapping[str, Any]
    fields: FieldSet
    principal: Principal

    def apply(self, ticket: EditedTicket) -> None:
        """Make the change. Raises TicketClosed, IllegalTransition, FieldsRequired."""
        fields = self.patch.model_fields_set
        if "status" in fields:
            ticket.move_to(self.patch.status)
        for field in fields & EDITABLE:
            value = getattr(self.patch, field)
            ticket.edit(field, list(value) if isinstance(value, tuple) else value)
        if self.custom:
            ticket.edit_custom(self.custom, self.fields.visible_keys)
        ensure_complete_if_closed(ticket, self.fields, self.principal)


def ensure_complete_if_closed(ticket: EditedTicket, fields: FieldSet, principal: Principal) -> None:
    """Raise FieldsRequired if the change closes the ticket and a field that this requires has no value."""
    if ticket.transition is not None and ticket.status is TicketStatus.CLOSED:
        ensure_complete(fields, ticket.custom, RequiredAt.CLOSE, is_requester=_is_requester(principal))


class WorkingFields:
    """Checks new tickets and patches. Every method raises DatabaseUnavailable and DeadlineExceeded."""

    def __init__(self, assignees: Assignees, definitions: FieldDefinitions) -> None:
        self._assignees = assignees
        self.definitions = definitions

    async def new(self, sent: TicketCreate, principal: Principal, *, follow_up_of: int | None = None) -> NewTicket:
        """Return a new ticket with valid values. Raises Forbidden, InvalidFields, FieldsRequired."""
        _ensure_may_set(principal, sent.model_fields_set)
        await self._assignees.ensure_exist(sent.assignee_id, sent.group_id)
        fields = await self.definitions.current()
        sent_values = _validated(fields, sent.custom, principal)
        custom = {key: value for key, value in sent_values.items() if value is not None}
        ensure_complete(fields, custom, RequiredAt.CREATE, is_requester=_is_requester(principal))
        return NewTicket(sent, custom, fields.visible_keys, follow_up_of)

    async def checked(self, patch: TicketPatch, principal: Principal) -> CheckedPatch:
        """Return a patch with valid values. Raises Forbidden, InvalidFields."""
        _ensure_may_set(principal, patch.model_fields_set)
        await self._assignees.ensure_exist(patch.assignee_id, patch.group_id)
        fields = await self.definitions.current()
        return CheckedPatch(patch, _validated(fields, patch.custom, principal), fields, principal)


def _ensure_may_set(principal: Principal, fields: Set[str]) -> None:
    refused = sorted(fields & _OF_AGENTS)
    if refused and principal.requester_email is not None:
        faults = [Fault("only agents set this", "body", name) for name in refused]
        raise Forbidden(f"a requester may not set {', '.join(refused)}", *faults)


def _validated(fields: FieldSet, sent: Mapping[str, Any], principal: Principal) -> dict[str, Any]:
    if not sent:
        return {}
    return changed_values(fields, sent, is_requester=_is_requester(principal))


def _is_requester(principal: Principal) -> bool:
    return principal.requester_email is not None
