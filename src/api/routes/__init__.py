"""One module for each resource. `ROUTERS` lists their routers in the order of the OpenAPI document."""

from typing import Final

from fastapi import APIRouter

from api.openapi import swagger_ui
from api.routes import comments, health, metrics, problems, root, tickets, workflow

ROUTERS: Final[tuple[APIRouter, ...]] = (
    tickets.router,
    comments.router,
    workflow.router,
    health.router,
    metrics.router,
    problems.router,
    swagger_ui.router,
    root.router,
)
