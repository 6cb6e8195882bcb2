"""The routes of the desk, in one router: a list beside the code, so that the wiring stays untouched."""

from desk.desk_router import DeskRouter
from desk.routes import (
    account,
    admin,
    assets,
    bulk,
    canned,
    keys,
    lists,
    live,
    my,
    numbers,
    set_up,
    sign_in,
    sign_in_links,
    tickets,
    views,
)


def desk_router() -> DeskRouter:
    """Return a router with all routes, the most frequent ones first."""
    parts = (
        lists,
        tickets,
        live,
        views,
        canned,
        bulk,
        numbers,
        keys,
        my,
        assets,
        admin,
        account,
        sign_in,
        set_up,
        sign_in_links,
    )
    return DeskRouter([route for part in parts for route in part.router.routes])
