"""The successes of the operations on what agents use to work."""

from typing import Final

from api.openapi.responses import ResponseDoc

BULK_DRY_RUN: Final = ResponseDoc(200, "What the bulk change would do.", (), ("bulk-dry-run",))
BULK_STARTED: Final = ResponseDoc(
    202, "The bulk change, which is carried out.", ("Location", "Idempotent-Replayed"), ("bulk-run",)
)
BULK_RUN: Final = ResponseDoc(200, "The bulk change with its results.", (), ("bulk-run",))

VIEWS: Final = ResponseDoc(200, "The saved views.", (), ("views",))
VIEW: Final = ResponseDoc(200, "The saved view.", ("ETag",), ("view",))
VIEW_CREATED: Final = ResponseDoc(201, "The created view.", ("Location", "ETag"), ("view",))
VIEW_CHANGED: Final = ResponseDoc(200, "The view after the change.", ("ETag",), ("view",))
VIEW_DELETED: Final = ResponseDoc(200, "The view before its deletion.", (), ("view",))
VIEW_COUNTS: Final = ResponseDoc(200, "The numbers of tickets.", (), ("view-counts",))

NUMBERS_NOW: Final = ResponseDoc(200, "The numbers of now.", (), ("numbers-now",))
NUMBERS_BY_DAY: Final = ResponseDoc(200, "The numbers by day.", (), ("numbers-by-day",))
NUMBERS_BY_VALUE: Final = ResponseDoc(200, "The numbers by value.", (), ("numbers-by-value",))

CANNED_REPLIES: Final = ResponseDoc(200, "A page of canned replies.", ("Link",), ("canned-replies",))
CANNED_REPLY: Final = ResponseDoc(200, "The canned reply.", ("ETag",), ("canned-reply",))
CANNED_REPLY_CREATED: Final = ResponseDoc(201, "The created reply.", ("Location", "ETag"), ("canned-reply",))
CANNED_REPLY_CHANGED: Final = ResponseDoc(200, "The reply after the change.", ("ETag",), ("canned-reply",))
CANNED_REPLY_DELETED: Final = ResponseDoc(200, "The reply before its deletion.", (), ("canned-reply",))
RENDERED_REPLY: Final = ResponseDoc(200, "The text for the ticket.", (), ("rendered-reply",))
