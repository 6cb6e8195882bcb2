"""The wiring of the desk: `main` calls `install`; `middleware` lists the middleware of the desk.

The services of the state are those that `main` builds; `build_services` adds the one that only the desk uses.
"""

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.datastructures import State

from db.postgres.database import Database
from desk.assets import Assets
from desk.languages import Languages
from desk.pages import Pages
from desk.routes import desk_router
from services.directory.staff import StaffDirectory


@dataclass(frozen=True, slots=True)
class Desk:
    """What all pages share; `app.state.desk`.

    `public_url` is the URL at which people reach the service, if set. A comment can be called back for `undo_send_s`.
    """

    assets: Assets
    languages: Languages
    pages: Pages
    public_url: str | None
    undo_send_s: int


def install(app: FastAPI, *, max_body_bytes: int, public_url: str | None, undo_send_s: int) -> None:
    """Add the desk to the application: its pages are no part of the API and of its document.

    It comes before the routes of the API: see `desk.desk_router`.
    """
    assets, languages = Assets(), Languages()
    app.state.desk = Desk(assets, languages, Pages(languages, assets), public_url, undo_send_s)
    app.include_router(desk_router(), include_in_schema=False, max_body_size=max_body_bytes)


def build_services(state: State, database: Database) -> None:
    """Build the services that pages need beside those of the API."""
    state.staff = StaffDirectory(database)
