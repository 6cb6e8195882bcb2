"""Liveness and readiness probes."""

from fastapi import APIRouter, Response

from api.dependencies import Health
from api.openapi import responses as docs
from api.openapi.responses import EVERY_OPERATION, responses
from schemas.health import Liveness, Readiness

router = APIRouter(tags=["operation"])


@router.get("/livez", responses=responses(EVERY_OPERATION, docs.ALIVE))
async def livez() -> Liveness:
    """Check whether the process is alive.

    The check does not include the database or the cache, because a restart of the process does not repair them.
    """
    return Liveness()


@router.get("/readyz", responses=responses(EVERY_OPERATION, docs.READY, docs.NOT_READY))
async def readyz(health: Health, response: Response) -> Readiness:
    """Check whether the service is ready to process requests.

    It requires a database that accepts writes and has the migrations of this release. The cache is optional, and
    so is background work that no request needs. A process that is stopping is not ready, but still processes requests
    for a while.
    """
    readiness = await health.readiness()
    response.status_code = 200 if readiness.ready else 503
    return readiness
