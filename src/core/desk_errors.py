"""The errors of what agents use to work: drafts, saved views, canned replies and bulk changes.

Like those of `core.errors`, they do not depend on HTTP.
"""

from core.errors import ServiceError


class DraftNotFound(ServiceError):
    """The caller has no such draft: it was sent or discarded."""


class DraftChanged(ServiceError):
    """The stored draft is newer than the one that is to be sent."""


class DraftBeingSent(ServiceError):
    """The draft is about to be sent, and accepts no other text."""


class CommentedMeanwhile(ServiceError):
    """The ticket has a public comment that is newer than the version which the draft answers."""


class ViewNotFound(ServiceError):
    """No saved view has this id, or it is another principal's."""


class TooManyViews(ServiceError):
    """There are as many shared views, or personal ones of the caller, as there may be."""


class CannedReplyNotFound(ServiceError):
    """No canned reply has this id, or it is of a group that the caller is no member of."""


class TooManyCannedReplies(ServiceError):
    """There are as many canned replies as there may be."""


class BulkRunNotFound(ServiceError):
    """No bulk change has this id."""
