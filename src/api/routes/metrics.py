"""What is counted, for Prometheus."""

import asyncio

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from core.metrics import exposition

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Tell what all processes of this start counted, whichever of them is asked."""
    request.app.state.observation.update()
    # In a thread: reading what many processes counted may take some milliseconds.
    return Response(await asyncio.to_thread(exposition), media_type=CONTENT_TYPE_LATEST)
