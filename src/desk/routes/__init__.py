"""The routes of the desk. `ROUTERS` lists them, so that the wiring stays untouched."""

from typing import Final

from fastapi import APIRouter

from desk.routes import assets, keys, lists, live, tickets

ROUTERS: Final[tuple[APIRouter, ...]] = (assets.router, lists.router, live.router, keys.router, tickets.router)
