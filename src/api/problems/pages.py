"""How the pages on problems look."""

import json
import re
from collections.abc import Iterable
from html import escape
from http import HTTPStatus
from typing import Final

from api.problems.handlers import example
from api.problems.types import ProblemType

_CODE: Final = re.compile(r"`([^`]+)`")
# Addresses are relative to the page, so that the service may stand below any prefix.
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem }}
pre {{ padding: 1rem; overflow: auto; border: 1px solid #8888; border-radius: .5rem }}
dt {{ margin-top: 1rem }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def index(kinds: Iterable[ProblemType]) -> str:
    """Return the page that lists all kinds, by their status."""
    entries = "\n".join(
        f'<dt>{kind.status} <a href="problems/{escape(kind.slug)}">{escape(kind.title)}</a></dt>'
        f"<dd>{_prose(kind.detail)}</dd>"
        for kind in sorted(kinds, key=lambda kind: kind.status)
    )
    introduction = _prose(
        "What the service refuses, it refuses as `application/problem+json` (RFC 9457), and the `type` of each refusal "
        "is the address of one of these pages."
    )
    return _PAGE.format(title="Problems", body=f"<h1>Problems</h1>\n<p>{introduction}</p>\n<dl>\n{entries}\n</dl>")


def page(kind: ProblemType) -> str:
    """Return the page that explains one kind."""
    body = f"""\
<p><a href="../problems">All problems</a></p>
<h1>{escape(kind.title)}</h1>
<p><code>{escape(kind.type)}</code>, status {kind.status} {escape(HTTPStatus(kind.status).phrase)}{_headers(kind)}</p>
<h2>What it means</h2>
<p>{_prose(kind.detail)}</p>
<h2>What to do</h2>
<p>{_prose(kind.remedy)}</p>
<h2>For example</h2>
<pre>{escape(json.dumps(example(kind), indent=2, ensure_ascii=False))}</pre>"""
    return _PAGE.format(title=escape(kind.title), body=body)


def _headers(kind: ProblemType) -> str:
    return "".join(f", with the header <code>{header}</code>" for header in kind.headers)


def _prose(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
