"""What the desk says about a problem, by the last segment of its type: a title, and what to do about it."""

from collections.abc import Mapping
from typing import Final

from desk.languages import N_

Words = tuple[str, str]

PROBLEMS: Final[Mapping[str, Words]] = {
    "unauthenticated": (N_("Sign in first"), N_("This page needs a sign-in, or your session has ended.")),
    "forbidden": (N_("Permission denied"), N_("Your role does not permit this.")),
    "insufficient-scope": (N_("Permission denied"), N_("Your API key does not permit this.")),
    "host-not-allowed": (
        N_("This desk is open on its own machine only"),
        N_("Without API keys and a token issuer, the desk is served to the machine that it runs on, as localhost."),
    ),
    "ticket-not-found": (N_("Ticket not found"), N_("There is no ticket with this number.")),
    "ticket-closed": (
        N_("The ticket is closed"),
        N_("A closed ticket takes no changes and no replies. Open a follow-up to go on."),
    ),
    "ticket-not-closed": (N_("The ticket is not closed"), N_("Only a closed ticket has follow-ups: reply to it.")),
    "illegal-transition": (
        N_("The status has changed"),
        N_("The ticket cannot go from its present status to the one that you chose."),
    ),
    "version-mismatch": (N_("The ticket has changed"), N_("The ticket was changed in the meantime. Look at it again.")),
    "already-assigned": (N_("Already assigned"), N_("A colleague has this ticket.")),
    "too-many-tags": (N_("Too many tags"), N_("A ticket has at most 50 tags.")),
    "too-many-participants": (N_("Too many participants"), N_("A ticket has at most 20 participants.")),
    "too-many-links": (N_("Too many links"), N_("A ticket has at most 100 links.")),
    "link-to-itself": (N_("Link to itself"), N_("A ticket cannot be linked to itself.")),
    "merge-not-possible": (
        N_("These tickets cannot be merged"),
        N_("One of them is merged already, the target is closed, or both are the same."),
    ),
    "not-merged": (N_("The ticket is not merged"), N_("It was taken out already.")),
    "merge-too-old": (N_("The merge is too old"), N_("A merge can be undone for 24 hours.")),
    "fields-required": (N_("Values are missing"), N_("The ticket needs the values of these fields first.")),
    "invalid-fields": (N_("Some values do not fit"), N_("Correct the values that are named here.")),
    "invalid-reference": (N_("Some values do not fit"), N_("Correct the values that are named here.")),
    "invalid-request": (N_("Some values do not fit"), N_("Correct the values that are named here.")),
    "invalid-cursor": (N_("The list has changed"), N_("Begin with its first page again.")),
    "search-timeout": (
        N_("The search took too long"),
        N_("Search for less frequent words, or add filters, and try again."),
    ),
    "request-in-progress": (N_("In progress"), N_("The same form is being processed. Wait a moment.")),
    "idempotency-key-reused": (N_("The form was sent before"), N_("Open the page again, and check the ticket.")),
    "rate-limited": (N_("Too many requests"), N_("Wait a moment, and try again.")),
    "outcome-unknown": (
        N_("Perhaps saved, perhaps not"),
        N_("The connection to the database broke while saving. Look at the ticket before you try again."),
    ),
    "already-exists": (N_("Some values do not fit"), N_("Correct the values that are named here.")),
    "principal-not-found": (N_("Person not found"), N_("There is nobody with this id.")),
    "group-not-found": (N_("Group not found"), N_("There is no group with this id.")),
    "key-not-found": (N_("API key not found"), N_("There is no key with this id.")),
    "field-not-found": (N_("Field not found"), N_("There is no field with this key.")),
    "calendar-not-found": (N_("Calendar not found"), N_("There is no calendar with this id.")),
    "policy-not-found": (N_("Policy not found"), N_("There is no policy with this id.")),
    "rule-not-found": (N_("Rule not found"), N_("It was deleted.")),
    "webhook-not-found": (N_("Webhook not found"), N_("It was deleted.")),
    "delivery-not-found": (N_("Delivery not found"), N_("The log has the deliveries of the last 30 days.")),
    "last-admin": (N_("The last admin"), N_("Somebody has to be an admin: make another one first.")),
    "key-not-created": (
        N_("The key was not created"),
        N_("A name has one role and one address for ever, and at most two valid keys: revoke one first."),
    ),
    "invalid-calendar": (N_("Some hours do not fit"), N_("Correct the values that are named here.")),
    "too-many-tickets": (N_("Too many tickets"), N_("A tag with more than 10,000 tickets cannot be renamed.")),
    "too-many-rules": (N_("Too many rules"), N_("There can be 20: delete one first.")),
    "too-many-fields": (N_("Too many fields"), N_("There can be 100: archive one first.")),
    "view-not-found": (N_("View not found"), N_("The view was deleted, or it is a colleague's.")),
    "too-many-views": (N_("Too many views"), N_("There can be 50 views: delete one first.")),
    "canned-reply-not-found": (N_("Canned reply not found"), N_("It was deleted, or it is for another group.")),
    "too-many-canned-replies": (N_("Too many canned replies"), N_("There can be 1,000: delete one first.")),
    "bulk-run-not-found": (N_("Bulk change not found"), N_("It ended more than a week ago.")),
    "draft-being-sent": (
        N_("Another text of yours is being sent"),
        N_("Wait some seconds, or call it back. Then send this one."),
    ),
    "draft-changed": (
        N_("You have typed a newer text in another window"),
        N_("Look at the ticket again: it shows the newer text."),
    ),
    "commented-meanwhile": (
        N_("Not sent: there is something new"),
        N_("Somebody wrote before your reply was sent. Read it, change your text if need be, and send it again."),
    ),
    "draft-not-found": (N_("Draft not found"), N_("It was sent or discarded.")),
    "not-found": (N_("Page not found"), N_("There is no page at this address.")),
    "content-too-large": (N_("Too large"), N_("A text has at most 65,536 characters.")),
}
UNAVAILABLE: Final[Words] = (N_("Not available now"), N_("Wait a moment, and try again. Nothing was saved."))
FAILED: Final[Words] = (N_("Something went wrong"), N_("Tell the operator of the service the number below."))
REFUSED: Final[Words] = (N_("Not possible"), N_("The service refused this request."))


def words_for(slug: str, status: int) -> Words:
    """Return the title and the explanation of a problem, by its status if the slug has none."""
    if slug in PROBLEMS:
        return PROBLEMS[slug]
    if status == 503:
        return UNAVAILABLE
    return FAILED if status >= 500 else REFUSED
