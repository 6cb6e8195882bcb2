"""Bulk changes of tickets."""

from typing import Annotated

from fastapi import APIRouter, Path, Response, status
from pydantic import BeforeValidator, Field

from api.dependencies import AllBulkChanges, Caller
from api.http.checked_route import CheckedRoute
from api.http.headers import IdempotencyKey
from api.http.serialized import accepted_response
from api.openapi import desk_responses as docs
from api.openapi.request_bodies import BulkBody
from api.openapi.responses import READS, WRITES, responses
from core.desk_errors import BulkRunNotFound
from core.errors import IdempotencyKeyReused, InvalidFields, InvalidReference, RequestInProgress, SearchTimeout
from schemas.bulk import BulkDryRun, BulkRun
from schemas.fields import ID_MAX, plain_number

router = APIRouter(prefix="/tickets/bulk", tags=["tickets"], route_class=CheckedRoute)

_RunId = Annotated[
    int,
    Field(ge=1, le=ID_MAX),
    BeforeValidator(plain_number),
    Path(description="The id of the bulk change.", examples=[1]),
]


@router.post("/dry-run", responses=responses(WRITES, docs.BULK_DRY_RUN, InvalidReference, InvalidFields, SearchTimeout))
async def try_bulk_change(target: BulkBody, bulk: AllBulkChanges, principal: Caller) -> BulkDryRun:
    """Try a bulk change.

    Returns how many tickets would change, and how many would be refused for which reason. At most 10,000 are examined,
    and nothing is written.
    """
    return await bulk.dry_run(target, principal)


@router.post(
    "",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=BulkRun,
    responses=responses(
        WRITES,
        docs.BULK_STARTED,
        RequestInProgress,
        IdempotencyKeyReused,
        InvalidReference,
        InvalidFields,
        SearchTimeout,
    ),
)
async def start_bulk_change(target: BulkBody, bulk: AllBulkChanges, principal: Caller, key: IdempotencyKey) -> Response:
    """Start a bulk change.

    Changes at most 1,000 tickets in the background, in the order of their ids: each as a change of its own, which
    succeeds or is refused for itself. If the query has more tickets, `last_ticket_id` is where the next bulk change
    goes on. Poll the `Location` for the results.
    """
    result, is_replay = await bulk.start(target, principal, key=key)
    return accepted_response(result, is_replay=is_replay, location=f"/tickets/bulk/{result.ticket_id}")


@router.get("/{run_id}", responses=responses(READS, docs.BULK_RUN, BulkRunNotFound))
async def get_bulk_change(run_id: _RunId, bulk: AllBulkChanges, principal: Caller) -> BulkRun:
    """Get a bulk change.

    Returns the results so far. Bulk changes are deleted a week after their end.
    """
    return await bulk.find(run_id, principal)
