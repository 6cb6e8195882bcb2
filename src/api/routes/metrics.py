"""The metrics endpoint."""

import asyncio

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.dependencies import Caller
from core import shared_metrics
from models import Scope

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(request: Request, principal: Caller) -> Response:
    """Return the metrics of all worker processes."""
    principal.require(Scope.READ)
    request.app.state.metrics_reporter.update()
    # In a thread: the other workers respond after some milliseconds.
    return Response(await asyncio.to_thread(shared_metrics.gather), media_type=CONTENT_TYPE_LATEST)
