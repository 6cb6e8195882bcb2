"""The routes of the desk. `ROUTERS` lists them, so that the wiring stays untouched."""

from typing import Final

from fastapi import APIRouter

from desk.routes import assets

ROUTERS: Final[tuple[APIRouter, ...]] = (assets.router,)
