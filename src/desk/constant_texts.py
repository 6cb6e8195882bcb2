"""A Jinja extension: what is constant in the templates of one language is written into them when they are compiled.

`{{ _("Text") }}` becomes the translated text, and `{{ icon("name") }}` becomes the icon. A call for each of them took a
third of the time of a page. Texts with variables and plurals stay calls of gettext.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from jinja2 import Environment
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import escape

from desk.icons import icon

_BEGIN, _END = ("variable_begin", "variable_end")
_CALL: Final = ("name", "lparen", "string", "rparen")


class ConstantTexts(Extension):
    """Replaces the calls in the token streams; `environment.translate` is the gettext function of the language."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.extend(translate=str)

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Yield the tokens of a template."""
        translate: Callable[[str], str] = self.environment.translate  # type: ignore[attr-defined]
        tokens = list(stream)
        at = 0
        while at < len(tokens):
            name, text = _constant_call(tokens[at + 1 :]) if tokens[at].type == _BEGIN else ("", "")
            is_output = bool(name) and tokens[at + 5].type == _END
            if is_output:
                html = icon(text) if name == "icon" else str(escape(translate(text)))
                yield Token(tokens[at].lineno, "data", html)
                at += 6
                continue
            name, text = _constant_call(tokens[at:])
            if name == "_":
                yield Token(tokens[at].lineno, "string", translate(text))
                at += 4
                continue
            yield tokens[at]
            at += 1


def _constant_call(tokens: Sequence[Token]) -> tuple[str, str]:
    """Return the name and the text of a call with one constant text at the beginning; empty texts without one."""
    call = tokens[:4]
    if tuple(token.type for token in call) == _CALL and call[0].value in {"_", "icon"}:
        return call[0].value, call[2].value
    return "", ""
