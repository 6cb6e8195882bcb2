"""The metrics endpoint."""

import asyncio

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from core.metrics import exposition

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return the metrics of all worker processes."""
    request.app.state.metrics_reporter.update()
    # In a thread: reading the files of many processes may take some milliseconds.
    return Response(await asyncio.to_thread(exposition), media_type=CONTENT_TYPE_LATEST)
