"""Saved views: their page, their links above a list, and the form that saves the filters of a list."""

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import Response

from desk.desk_request import DeskRequest
from desk.list_query import ListQuery
from desk.refusals import Refused, refusal_of
from desk.validation import validated
from schemas.views import SavedView, ViewCount, ViewCreate, ViewPatch


@dataclass(frozen=True, slots=True)
class CountedView:
    """A view with the number of its tickets: `99+` for more, empty if they were not counted in time."""

    view: SavedView
    count: str


async def views_page(asked: DeskRequest) -> Response:
    """Return the page of the views, or with `?part=links` the links alone."""
    views = (await asked.services.views.all(asked.principal)).items
    counts = {each.view_id: each for each in (await asked.services.views.counts(asked.principal)).items}
    counted = [CountedView(view, _count(counts.get(view.id))) for view in views]
    is_part = asked.request.query_params.get("part") == "links"
    return asked.page("view_links.html" if is_part else "views.html", {"views": counted})


async def new_view_page(asked: DeskRequest) -> Response:
    """Return the form that saves the filters of the query. Raises RequestValidationError."""
    query = _api_query(asked)
    return asked.page("view_form.html", {"view": None, "query": query, "name": "", "refusal": None})


async def create_view(asked: DeskRequest) -> Response:
    """Save a view, and show its list."""
    form = await asked.form()
    try:
        is_shared = form.text("shared") == "true"
        new = validated(ViewCreate, name=form.text("name"), query=form.text("query"), shared=is_shared)
        await asked.services.views.create(new, asked.principal)
    except Refused as error:
        refusal = await refusal_of(asked, error)
        context = {"view": None, "query": form.text("query"), "name": form.text("name"), "refusal": refusal}
        return asked.page("view_form.html", context, refusal.status)
    return asked.redirect(f"desk/tickets?{form.text('query')}")


async def change_view(asked: DeskRequest, view_id: int) -> Response:
    """Rename a view. Raises RequestValidationError, ViewNotFound, VersionMismatch."""
    form = await asked.form()
    patch = validated(ViewPatch, name=form.text("name"))
    await asked.services.views.change(view_id, patch, asked.principal, expected={form.number("version")})
    return asked.redirect("desk/views")


async def delete_view(asked: DeskRequest, view_id: int) -> Response:
    """Delete a view. Raises RequestValidationError, ViewNotFound, VersionMismatch."""
    form = await asked.form()
    await asked.services.views.delete(view_id, asked.principal, expected={form.number("version")})
    return asked.redirect("desk/views")


def _api_query(asked: DeskRequest) -> str:
    """Return the filters of the query as the API has them: a day is a time in the zone of the viewer."""
    query = ListQuery(asked.request.scope["query_string"])
    return urlencode(query.for_api(asked.viewer.zone), doseq=True)


def _count(count: ViewCount | None) -> str:
    if count is None:
        return ""
    return f"{count.more_than}+" if count.more_than is not None else "" if count.count is None else str(count.count)
