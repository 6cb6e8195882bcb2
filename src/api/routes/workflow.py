"""The status machine, for programs and for people."""

from fastapi import APIRouter

from api.openapi import responses as answers
from api.openapi.responses import BEHIND_THE_GATE, responses
from schemas.tickets import Workflow
from services.tickets.ticket_status import workflow

router = APIRouter(tags=["workflow"])


@router.get("/workflow", responses=responses(answers.WORKFLOW, *BEHIND_THE_GATE))
async def get_workflow() -> Workflow:
    """Show the status machine.

    Which status may become which, as data and as a Mermaid diagram. It changes only with a release of the service.
    """
    return workflow()
