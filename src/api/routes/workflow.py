"""The status machine of tickets."""

from fastapi import APIRouter

from api.openapi import responses as docs
from api.openapi.responses import PROTECTED, responses
from schemas.workflow import Workflow
from services.tickets.ticket_status import workflow

router = APIRouter(tags=["workflow"])


@router.get("/workflow", responses=responses(PROTECTED, docs.WORKFLOW))
async def get_workflow() -> Workflow:
    """Get the status machine.

    Returns all transitions, as data and as a Mermaid diagram. They change only with a release of the service.
    """
    return workflow()
