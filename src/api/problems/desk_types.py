"""The problem types of what agents use to work: drafts, saved views, canned replies."""

from collections.abc import Mapping
from typing import Final

from api.problems.problem_type import ProblemType
from core import desk_errors

DESK_PROBLEMS: Final[Mapping[type[Exception], ProblemType]] = {
    desk_errors.DraftNotFound: ProblemType(
        404,
        "draft-not-found",
        "Draft not found",
        "The caller has no such draft: it was sent or discarded.",
        "Read the ticket: if the draft was sent, its comment is there. To write another one, begin a new draft.",
    ),
    desk_errors.DraftChanged: ProblemType(
        409,
        "draft-changed",
        "Draft changed",
        "A newer text of this draft is stored, which another window has saved.",
        "Read the draft, decide which text is to be sent, and send it again with a higher counter.",
    ),
    desk_errors.DraftBeingSent: ProblemType(
        409,
        "draft-being-sent",
        "Draft about to be sent",
        "The draft is about to be sent and accepts no other text.",
        "Call the draft back first; after it was sent, begin a new draft for what is to be added.",
    ),
    desk_errors.CommentedMeanwhile: ProblemType(
        409,
        "commented-meanwhile",
        "Commented meanwhile",
        "The ticket has a public comment that is newer than the version which the reply is based on.",
        "Read the newer comments, change the reply if necessary, and send it again with the present version of the "
        "ticket as its base.",
    ),
    desk_errors.BulkRunNotFound: ProblemType(
        404,
        "bulk-run-not-found",
        "Bulk change not found",
        "No bulk change with this id exists.",
        "Check the id, which `POST /tickets/bulk` returned. Bulk changes are deleted a week after their end.",
    ),
    desk_errors.ViewNotFound: ProblemType(
        404,
        "view-not-found",
        "View not found",
        "No saved view with this id exists, or it belongs to another principal.",
        "Check the id: the view may have been deleted. `GET /views` lists the views of the caller.",
    ),
    desk_errors.TooManyViews: ProblemType(
        409,
        "too-many-views",
        "Too many views",
        "There are 50 views of this owner, which is the maximum.",
        "Delete views that are not used. Shared views and those of each principal are counted apart.",
    ),
    desk_errors.CannedReplyNotFound: ProblemType(
        404,
        "canned-reply-not-found",
        "Canned reply not found",
        "No canned reply with this id exists, or it belongs to a group of which the caller is no member.",
        "Check the id: the reply may have been deleted. `GET /canned-replies` lists the replies that the caller sees.",
    ),
    desk_errors.TooManyCannedReplies: ProblemType(
        409,
        "too-many-canned-replies",
        "Too many canned replies",
        "There are 1,000 canned replies, which is the maximum.",
        "Delete replies that are not used, or put similar texts together in one reply.",
    ),
}
