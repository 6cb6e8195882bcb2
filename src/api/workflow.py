"""The status machine, for programs and for people."""

from fastapi import APIRouter

from schemas.tickets import Workflow
from services.ticket_status import workflow

router = APIRouter(tags=["workflow"])


@router.get("/workflow")
async def get_workflow() -> Workflow:
    """Show which status may become which."""
    return workflow()
