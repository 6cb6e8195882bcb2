"""The tables of the results."""

import math
from collections.abc import Callable, Sequence
from statistics import median

from bench.cases import Case
from bench.feed.stage import Figure
from bench.load import Measured
from bench.targets import Round, Verdict

_DIGITS_BELOW = 100
_COLUMNS = ("case", "requests/s", "p50 ms", "p99 ms", "CPU µs/request", "PostgreSQL µs/request")


def cases_table(cases: Sequence[Case], rounds: Sequence[Round]) -> str:
    """Return the results of the cases: medians of the rounds, with minimum and maximum."""
    rows = [_COLUMNS]
    for case in cases:
        runs = [each[case.name] for each in rounds if case.name in each]
        if not runs:
            continue
        rows.append(
            (
                f"{case.name}: {case.title}",
                _spread(runs, lambda run: run.per_second, 0),
                _spread(runs, lambda run: run.p50_ms, 2),
                _spread(runs, lambda run: run.p99_ms, 1),
                _spread(runs, lambda run: run.cpu_us, 0),
                _spread(runs, lambda run: run.database_cpu_us, 0),
            )
        )
    discarded = sum(run.discarded for each in rounds for run in each.values())
    note = f"\n\nDiscarded: {discarded} runs in which under 99 % of the responses had the expected source."
    return _table(rows) + (note if discarded else "")


def targets_table(verdicts: Sequence[Verdict]) -> str:
    """Return the targets with their limits and measured values."""
    rows = [("target", "limit", "measured", "met")]
    for verdict in verdicts:
        limit = f"{'≤' if verdict.is_at_most else '≥'} {verdict.limit:g} {verdict.unit}"
        values = (f"{number:.2f}" for number in (verdict.median, min(verdict.values), max(verdict.values)))
        middle, lowest, highest = values
        rows.append((verdict.title, limit, f"{middle} ({lowest}-{highest})", "yes" if verdict.is_met else "NO"))
    return _table(rows)


def figures_table(figures: Sequence[Figure]) -> str:
    """Return what was measured beside the targets."""
    rows = [("figure", "measured", "")]
    for figure in figures:
        values = (median(figure.values), min(figure.values), max(figure.values))
        middle, lowest, highest = (f"{number:,.{1 if values[0] < _DIGITS_BELOW else 0}f}" for number in values)
        rows.append((figure.title, f"{middle} ({lowest}-{highest})", figure.unit))
    return _table(rows)


def _spread(runs: Sequence[Measured], number: Callable[[Measured], float], digits: int) -> str:
    numbers = [number(run) for run in runs]
    if any(map(math.isnan, numbers)) or not any(numbers):
        return "-"
    return f"{median(numbers):,.{digits}f} ({min(numbers):,.{digits}f}-{max(numbers):,.{digits}f})"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *rest = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join((first, *rest)).rstrip())
    return "\n".join((lines[0], "-" * len(lines[0]), *lines[1:]))
