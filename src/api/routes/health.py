"""The probes of an orchestrator."""

from fastapi import APIRouter, Response

from api.dependencies import Health
from api.openapi import responses as answers
from api.openapi.responses import ANYWHERE, responses
from schemas.health import Liveness, Readiness

router = APIRouter(tags=["operation"])


@router.get("/livez", responses=responses(answers.ALIVE, *ANYWHERE))
async def livez() -> Liveness:
    """Tell that the process is alive.

    Asks nothing else: while a database is away, starting the process anew would not help.
    """
    return Liveness()


@router.get("/readyz", responses=responses(answers.READY, answers.NOT_READY, *ANYWHERE))
async def readyz(health: Health, response: Response) -> Readiness:
    """Tell whether the service can work, and what is missing.

    A database that takes writes and has this release's migrations is required; without the cache the service is slower,
    and still ready. Once the process was told to stop it is not ready, and goes on serving for a while.
    """
    readiness = await health.readiness()
    response.status_code = 200 if readiness.ready else 503
    return readiness
