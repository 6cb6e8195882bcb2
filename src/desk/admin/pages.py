"""The pages of every area: its list, the form of a new definition, and the page of a definition."""

from collections.abc import Mapping
from typing import Any

from fastapi import Response
from starlette.exceptions import HTTPException

from core.errors import VersionMismatch
from desk.admin.area import Area, Change
from desk.admin.areas import AREAS
from desk.admin.inputs import Values, changed_names, values_of
from desk.desk_request import DeskRequest
from desk.refusals import Refusal, Refused, refusal_of


async def index_page(asked: DeskRequest) -> Response:
    """Return the page of the areas. Raises Forbidden."""
    asked.principal.require_admin()
    return asked.page("admin/index.html", {"areas": AREAS.values(), "area": None})


async def list_page(asked: DeskRequest, slug: str) -> Response:
    """Return the list of an area."""
    area = _area(asked, slug)
    query = asked.request.query_params
    context = {"listing": await area.listing(asked), "q": query.get("q", "")}
    return _page(asked, "list", area, context)


async def new_page(asked: DeskRequest, slug: str) -> Response:
    """Return the form of a new definition."""
    area = _area(asked, slug)
    if not area.new:
        raise HTTPException(404)
    return await _new_form(asked, area, await area.new_values(asked))


async def create(asked: DeskRequest, slug: str) -> Response:
    """Create a definition, and show the list, or a page that is shown once."""
    area = _area(asked, slug)
    values = values_of(await area.inputs(asked, is_new=True), await asked.form())
    try:
        page = await area.create(asked, values)
    except Refused as error:
        return await _new_form(asked, area, values, await refusal_of(asked, error))
    return page or asked.redirect(f"desk/admin/{slug}")


async def show(asked: DeskRequest, slug: str, key: str) -> Response:
    """Return the page of a definition."""
    return await _stored_page(asked, _area(asked, slug), key)


async def change(asked: DeskRequest, slug: str, key: str) -> Response:
    """Change a definition, and show the list. A refused form comes back with what was typed."""
    area = _area(asked, slug)
    form = await asked.form()
    inputs = await area.inputs(asked, is_new=False)
    sent = values_of(inputs, form)
    names = changed_names(inputs, (await area.stored(asked, key)).values, sent)
    version = form.number("version") if form.text("version") else None
    try:
        if names:
            await area.change(asked, key, Change(sent, names, version))
    except Refused as error:
        is_conflict = isinstance(error, VersionMismatch)
        return await _stored_page(asked, area, key, sent, await refusal_of(asked, error), is_conflict=is_conflict)
    return asked.redirect(f"desk/admin/{slug}")


async def act(asked: DeskRequest, slug: str, key: str, name: str) -> Response:
    """Do what a button of a definition says, and show the definition again."""
    area = _area(asked, slug)
    form = await asked.form()
    try:
        page = await area.act(asked, key, name, form)
    except Refused as error:
        return await _stored_page(asked, area, key, refusal=await refusal_of(asked, error))
    return page or asked.redirect(f"desk/admin/{slug}/{key}")


async def part(asked: DeskRequest, slug: str, key: str, name: str) -> Response:
    """Return a page below that of a definition."""
    return await _area(asked, slug).part(asked, key, name)


def _area(asked: DeskRequest, slug: str) -> Area:
    asked.principal.require_admin()
    area = AREAS.get(slug)
    if area is None:
        raise HTTPException(404)
    return area


async def _new_form(asked: DeskRequest, area: Area, values: Values, refusal: Refusal | None = None) -> Response:
    inputs = await area.inputs(asked, is_new=True)
    context: dict[str, Any] = {
        "inputs": inputs,
        "values": values,
        "present": {},
        "stored": None,
        "key": "",
        "refusal": refusal,
    }
    return _page(asked, "form", area, context, 200 if refusal is None else refusal.status)


async def _stored_page(
    asked: DeskRequest,
    area: Area,
    key: str,
    sent: Values | None = None,
    refusal: Refusal | None = None,
    *,
    is_conflict: bool = False,
) -> Response:
    """Return the page of a definition, perhaps with what was typed; after a conflict beside what is stored now."""
    stored = await area.stored(asked, key)
    inputs = await area.inputs(asked, is_new=False) if area.is_changeable else ()
    differing = changed_names(inputs, stored.values, sent) if sent is not None and is_conflict else ()
    context = {
        "inputs": inputs,
        "values": stored.values if sent is None else sent,
        "present": {name: ", ".join(stored.values.get(name, ())) for name in differing},
        "stored": stored,
        "key": key,
        "refusal": refusal,
    }
    return _page(asked, "form", area, context, 200 if refusal is None else refusal.status)


def _page(asked: DeskRequest, name: str, area: Area, context: Mapping[str, Any], status: int = 200) -> Response:
    return asked.page(f"admin/{name}.html", {"areas": AREAS.values(), "area": area, **context}, status)
