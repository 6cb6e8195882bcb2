"""One module for each resource. `ROUTERS` lists their routers in the order of the OpenAPI document."""

from typing import Final

from fastapi import APIRouter

from api.routes import comments, docs, health, metrics, problems, root, tickets, workflow

ROUTERS: Final[tuple[APIRouter, ...]] = (
    tickets.router,
    comments.router,
    workflow.router,
    health.router,
    metrics.router,
    problems.router,
    docs.router,
    root.router,
)
