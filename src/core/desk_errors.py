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
