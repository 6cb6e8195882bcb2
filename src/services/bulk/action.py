"""The action of a bulk change on one ticket."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import Fault, InvalidReference
from core.ticket_errors import TooManyTags
from models.ticket import MAX_TAGS
from schemas.bulk import BulkAction
from schemas.tickets import TicketPatch
from services.access.principal import Principal
from services.tickets.edited_ticket import EditedTicket
from services.tickets.working_fields import CheckedPatch, WorkingFields

_TAGS = {"add_tags", "remove_tags"}


@dataclass(frozen=True, slots=True)
class CheckedAction:
    """An action whose values are valid for every ticket."""

    action: BulkAction
    patch: CheckedPatch | None

    def apply(self, ticket: EditedTicket) -> None:
        """Make the change. Raises TicketClosed, IllegalTransition, FieldsRequired, TooManyTags."""
        if self.action.add_tags or self.action.remove_tags:
            tags = sorted((set(ticket["tags"]) | set(self.action.add_tags)) - set(self.action.remove_tags))
            if len(tags) > MAX_TAGS:
                raise TooManyTags
            ticket.edit("tags", tags)
        if self.patch is not None:
            self.patch.apply(ticket)


async def checked_action(working_fields: WorkingFields, action: BulkAction, principal: Principal) -> CheckedAction:
    """Return an action with valid values. Raises InvalidReference."""
    values: Mapping[str, object] = action.model_dump(exclude_unset=True, exclude=_TAGS)
    if not values:
        return CheckedAction(action, None)
    try:
        patch = await working_fields.checked(TicketPatch.model_validate(values), principal)
    except InvalidReference as error:
        faults = [Fault(fault.detail, "body", "action", *fault.steps[1:]) for fault in error.faults]
        raise InvalidReference(*faults) from None
    return CheckedAction(action, patch)
