"""The problem types of assignment, tags, participants, links, merges, follow-ups and reminders."""

from collections.abc import Mapping
from typing import Final

from api.problems.problem_type import ProblemType
from core import ticket_errors

TICKET_PROBLEM_TYPES: Final[Mapping[type[Exception], ProblemType]] = {
    ticket_errors.AlreadyAssigned: ProblemType(
        409,
        "already-assigned",
        "Already assigned",
        "Another principal has this ticket.",
        "`assignee_id` names the principal; `GET /principals/{id}` returns its name. To take the ticket over, send "
        "`POST /tickets/{ticket_id}/take?steal=true`.",
        extensions={"assignee_id": "person:17"},
    ),
    ticket_errors.ExternalIdTaken: ProblemType(
        409,
        "external-id-taken",
        "External id taken",
        "Another ticket has this external id of this source.",
        "Read the ticket with `GET /tickets?external_id=…&source=…`. "
        "`PUT /tickets/by-external-id/{source}/{external_id}` creates the ticket or returns the existing one.",
    ),
    ticket_errors.TooManyTickets: ProblemType(
        409,
        "too-many-tickets",
        "Too many tickets",
        "More than 10,000 tickets have this tag, which is the maximum for one request.",
        "Change the tickets one by one: `GET /tickets?tag=` lists them, and `PUT` and `DELETE` of "
        "`/tickets/{ticket_id}/tags/{tag}` change one.",
    ),
    ticket_errors.TooManyTags: ProblemType(
        409,
        "too-many-tags",
        "Too many tags",
        "The ticket has 50 tags, which is the maximum.",
        "Remove a tag of the ticket with `DELETE /tickets/{ticket_id}/tags/{tag}` before you add another one.",
    ),
    ticket_errors.TooManyParticipants: ProblemType(
        409,
        "too-many-participants",
        "Too many participants",
        "The ticket has 20 participants, which is the maximum.",
        "Remove a participant with `DELETE /tickets/{ticket_id}/participants/{email}` before you add another one.",
    ),
    ticket_errors.TooManyLinks: ProblemType(
        409,
        "too-many-links",
        "Too many links",
        "One of the tickets has 100 links, which is the maximum.",
        "Remove a link with `DELETE /tickets/{ticket_id}/links/{link_type}/{other_id}` before you add another one.",
    ),
    ticket_errors.LinkToItself: ProblemType(
        409,
        "link-to-itself",
        "Link to itself",
        "A ticket cannot be linked to itself.",
        "The path names the same ticket twice. Name another ticket at its end.",
    ),
    ticket_errors.MergeNotPossible: ProblemType(
        409,
        "merge-not-possible",
        "Merge not possible",
        "The two tickets cannot be merged; `reason` says why.",
        "`already-merged`: the ticket is merged, and its `merged_into` names the target. `target-closed`: merge into a "
        "ticket that is not closed. `leads-back`: both are the same, or the target was merged into the ticket. "
        "`too-many-participants`: the target would have more than 500.",
        extensions={"reason": "leads-back"},
    ),
    ticket_errors.NotMerged: ProblemType(
        409,
        "not-merged",
        "Not merged",
        "The ticket is not merged.",
        "Read the ticket: only one with `merged_into` can be taken out of another one. If an earlier request took it "
        "out, `follow_ups` names the ticket that was opened.",
    ),
    ticket_errors.MergeTooOld: ProblemType(
        409,
        "merge-too-old",
        "Merge too old",
        "The merge was made more than 24 hours ago and cannot be undone.",
        "Open a follow-up of the merged ticket with `POST /tickets/{ticket_id}/follow-ups`.",
    ),
    ticket_errors.ReminderNotFound: ProblemType(
        404,
        "reminder-not-found",
        "Reminder not found",
        "The caller has no reminder on this ticket.",
        "Set one with `PUT /tickets/{ticket_id}/reminder`. `GET /reminders` lists the reminders of the caller. A "
        "principal does not see the reminders of others.",
    ),
    ticket_errors.RemindAtRefused: ProblemType(
        422,
        "remind-at-refused",
        "Time of reminder refused",
        "`remind_at` is not in the future, or is more than ten years ahead.",
        "Choose a later time, within ten years. The clock of the database decides, which the `Date` header of a "
        "response approximates.",
        extensions={"errors": [{"detail": "must be in the future, within ten years", "pointer": "#/remind_at"}]},
    ),
    ticket_errors.TicketNotClosed: ProblemType(
        409,
        "ticket-not-closed",
        "Ticket not closed",
        "Only a closed ticket can have a follow-up.",
        "Comment on the ticket with `POST /tickets/{ticket_id}/comments` instead.",
    ),
}
