"""The reminders of the caller."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import AllReminders, Caller, TicketId
from api.http.checked_route import CheckedRoute
from api.http.headers import link_to_next
from api.openapi import responses as docs
from api.openapi.request_bodies import ReminderToSet
from api.openapi.responses import MUTATES, READS, WRITES, responses
from core.errors import InvalidCursor, TicketNotFound
from core.ticket_errors import RemindAtRefused, ReminderNotFound
from schemas.reminders import Reminder, ReminderPage, RemindersQuery

router = APIRouter(tags=["reminders"], route_class=CheckedRoute)

_PATH = "/tickets/{ticket_id}/reminder"


@router.put(_PATH, responses=responses(WRITES, docs.REMINDER, TicketNotFound, RemindAtRefused))
async def set_reminder(
    ticket_id: TicketId, reminder: ReminderToSet, reminders: AllReminders, principal: Caller
) -> Reminder:
    """Set a reminder.

    Replaces the reminder of the caller on the ticket, which may be closed. Of the ticket nothing changes: it gets an
    internal event of the type `ticket.reminded` when the reminder is due. With `snooze`, lists with `snoozed=false`
    leave the ticket out until then, for the caller alone.
    """
    return await reminders.put(ticket_id, reminder, principal)


@router.get(_PATH, responses=responses(READS, docs.REMINDER, TicketNotFound, ReminderNotFound))
async def get_reminder(ticket_id: TicketId, reminders: AllReminders, principal: Caller) -> Reminder:
    """Get a reminder.

    Returns the reminder of the caller on the ticket, also after it was due.
    """
    return await reminders.find(ticket_id, principal)


@router.delete(_PATH, responses=responses(MUTATES, docs.REMINDER_DELETED, TicketNotFound, ReminderNotFound))
async def delete_reminder(ticket_id: TicketId, reminders: AllReminders, principal: Caller) -> Reminder:
    """Delete a reminder.

    Deletes the reminder of the caller on the ticket, which is no longer snoozed then. Returns the reminder as it was.
    """
    return await reminders.delete(ticket_id, principal)


@router.get("/reminders", responses=responses(READS, docs.REMINDERS, InvalidCursor))
async def list_reminders(
    query: Annotated[RemindersQuery, Query()],
    reminders: AllReminders,
    principal: Caller,
    request: Request,
    response: Response,
) -> ReminderPage:
    """List reminders.

    Returns the reminders of the caller in the order of their times, each with the subject and the status of its ticket.
    """
    page = await reminders.page(query, principal)
    response.headers.update(link_to_next(request.scope, page.next_cursor))
    return page
