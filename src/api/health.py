"""The probes of an orchestrator."""

from fastapi import APIRouter, Response

from api.dependencies import Health
from schemas.health import Liveness, Readiness

router = APIRouter(tags=["operation"])


@router.get("/livez")
async def livez() -> Liveness:
    """Tell that the process is alive."""
    return Liveness()


@router.get("/readyz", responses={503: {"model": Readiness, "description": "A required part is missing"}})
async def readyz(health: Health, response: Response) -> Readiness:
    """Tell whether the service can work, and what is missing."""
    readiness = await health.readiness()
    response.status_code = 200 if readiness.ready else 503
    return readiness
