"""The problem types of what agents use to work: drafts."""

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
}
