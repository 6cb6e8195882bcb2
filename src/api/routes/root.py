"""The root URL of the service, which people open in a browser."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Header
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)

# Browsers name this type explicitly when a person opens a URL; programs seldom do.
_HTML: Final = re.compile(r"(?:^|,)\s*text/html(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)


@router.get("/")
async def root(accept: Annotated[str, Header()] = "") -> RedirectResponse:
    """Redirect a browser to the desk. The URL is relative, so that a prefix of the service is kept."""
    if _HTML.search(accept) is None:
        raise HTTPException(404)
    return RedirectResponse("desk", headers={"Vary": "Accept"})
