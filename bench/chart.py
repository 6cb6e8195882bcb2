"""The targets as a chart: the length of a bar is the share of the limit that was measured."""

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from bench.targets import Verdict

_WIDTH: Final = 1000
_ROW: Final = 44
_LEFT: Final = 20
_TOP: Final = 60
# The length of the limit in pixels; bars that are longer than the image are cut.
_LIMIT: Final = 480
_MET, _MISSED, _SPREAD = "#2e7d32", "#c62828", "#212121"


def chart(verdicts: Sequence[Verdict], *, subtitle: str) -> str:
    """Return an SVG image: the dashed line is the limit, the thin mark on each bar spans the rounds."""
    height = _TOP + _ROW * len(verdicts) + 20
    line = _LEFT + _LIMIT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13">'
    )
    parts = [
        head,
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="16" font-weight="bold">Cost of the service relative to its limits</text>',
        f'<text x="{_LEFT}" y="42" fill="#616161">{escape(subtitle)}</text>',
        *(_bar(verdict, _TOP + number * _ROW) for number, verdict in enumerate(verdicts)),
        f'<line x1="{line}" y1="{_TOP}" x2="{line}" y2="{height - 15}" stroke="#757575" stroke-dasharray="4 3"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bar(verdict: Verdict, top: int) -> str:
    colour = _MET if verdict.is_met else _MISSED
    ends = [_length(verdict, value) for value in (verdict.median, min(verdict.values), max(verdict.values))]
    middle, first, last = ends[0], min(ends), max(ends)
    label = (
        f"{verdict.title}: {verdict.median:.2f} {verdict.unit} "
        f"({'at most' if verdict.is_at_most else 'at least'} {verdict.limit:g})"
    )
    return (
        f'<text x="{_LEFT}" y="{top + 14}">{escape(label)}</text>'
        f'<rect x="{_LEFT}" y="{top + 20}" width="{middle:.0f}" height="14" fill="{colour}"/>'
        f'<line x1="{_LEFT + first:.0f}" y1="{top + 27}" x2="{_LEFT + last:.0f}" y2="{top + 27}" stroke="{_SPREAD}"/>'
    )


def _length(verdict: Verdict, value: float) -> float:
    """Return the length of a bar; a bar beyond the line misses the limit, for upper and lower limits alike."""
    share = value / verdict.limit if verdict.is_at_most else verdict.limit / max(value, 1e-9)
    return min(share * _LIMIT, _WIDTH - 2 * _LEFT)
