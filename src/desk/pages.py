"""Renders the pages: one Jinja2 environment for each language, and the headers that every page has."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from desk import words
from desk.assets import Assets
from desk.constant_texts import ConstantTexts
from desk.languages import Language, Languages
from desk.viewer import Viewer

TEMPLATES: Final = Path(__file__).parent / "templates"
# No inline script and no attribute `style`: a text of a stranger that got into a page unescaped would run nothing.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Vary": "Accept-Language, Cookie",
    # With `no-referrer`, browsers send `Origin: null` with forms.
    "Referrer-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What the layout needs: the language, the way to the root of the service, and the viewer, if there is one.

    `began_at` is the time of `perf_counter` at which the work on the page began.
    """

    language: Language
    root: str
    path: str
    viewer: Viewer | None
    began_at: float

    @property
    def is_of_staff(self) -> bool:
        """Whether the viewer is an agent or an admin."""
        return self.viewer is not None and self.viewer.principal.requester_email is None

    @property
    def elapsed_ms(self) -> float:
        """The milliseconds since the work on the page began."""
        return (perf_counter() - self.began_at) * 1000


class Pages:
    """The templates of the desk. They get frozen dataclasses and plain values, never rows of the database."""

    def __init__(self, languages: Languages, assets: Assets) -> None:
        self._environments: Final = {tag: environment_of(each, assets) for tag, each in languages.all.items()}

    def response(self, template: str, frame: Frame, context: Mapping[str, Any], status: int = 200) -> Response:
        """Return a page, with the times that it took in `Server-Timing`."""
        data_ms = frame.elapsed_ms
        page = self._environments[frame.language.tag].get_template(template).render(frame=frame, **context)
        page_ms = frame.elapsed_ms - data_ms
        timing = {"Server-Timing": f"data;dur={data_ms:.1f}, page;dur={page_ms:.1f}"}
        return HTMLResponse(page, status, headers=_HEADERS | timing)


def frame_of(request: Request, language: Language, viewer: Viewer | None, began_at: float) -> Frame:
    """Return the frame of the page that a request asks for."""
    return Frame(language, root_of(request), request.url.path, viewer, began_at)


def root_of(request: Request) -> str:
    """Return the relative URL of the root of the service, so that it can be mounted below any prefix."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return "../" * (path.count(b"/") - 1) or "./"


def environment_of(language: Language, assets: Assets) -> Environment:
    """Return the Jinja environment of a language: it escapes everything, and refuses undefined values."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n", ConstantTexts],
    )
    environment.install_gettext_callables(language.gettext, language.ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.translate = language.gettext  # type: ignore[attr-defined]
    environment.globals |= {"asset": assets.url, "words": words, "sort_options": _sort_options(language)}
    return environment


def _sort_options(language: Language) -> Mapping[str, Markup]:
    """Return the options of the orders of a list, by the chosen one: every list page has them."""
    names = {sort: language.gettext(word) for sort, word in words.SORTS.items()}
    return {
        chosen: Markup("\n").join(
            Markup("<option value='{}'{}>{}</option>").format(sort, " selected" if sort == chosen else "", name)
            for sort, name in names.items()
        )
        for chosen in names
    }
