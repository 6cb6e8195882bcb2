"""Schemathesis over the whole OpenAPI document, against a running service: all phases, all checks.

It sends the examples, boundary cases, random data, and sequences of calls that follow the links of the document and
pass ids from responses to requests. `rules.py` lists the exceptions and their reasons.
"""

import copy
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import StopReason, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.schemas import BaseSchema

from fuzz import rules
from support.factories import JSON

# These phases depend on the seed. The examples and boundary cases are always the same.
_RANDOM_PHASES: Final = ("fuzzing", "stateful")


@dataclass(frozen=True, slots=True)
class Finding:
    """A failed check: its operation and message, a command that reproduces it, and the response."""

    phase: str
    operation: str
    check: str
    message: str
    reproduction: str
    response: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.check} ({self.phase})\n{self.message}\n{self.reproduction}\n-> {self.response}"

    @property
    def kind(self) -> tuple[str, str, str]:
        """The part that findings with the same cause share."""
        return self.operation, self.check, self.message.rpartition("\n")[2]


@dataclass(slots=True)
class Report:
    """The requests that were sent and those that succeeded, by operation; the requests by phase; and the findings."""

    sent: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    # Errors of the fuzzing itself. They are reported, because something was not tested.
    obstacles: list[str] = field(default_factory=list)

    @property
    def distinct(self) -> list[Finding]:
        """One finding of each kind, the one with the shortest reproduction."""
        by_length = sorted(self.findings, key=lambda finding: len(finding.reproduction), reverse=True)
        return list({finding.kind: finding for finding in by_length}.values())


def fuzz(
    document: JSON,
    url: str,
    key: str,
    *,
    seed: int,
    examples: int,
    only_random: bool = False,
    without_boundaries: Sequence[str] = (),
) -> Iterator[Report]:
    """Send the cases that the document leads to; yield the same, growing report after each scenario.

    `examples` is the number of random cases of each operation and of sequences. With `only_random`, the cases that do
    not depend on the seed are left out. `without_boundaries` has the ids of operations without boundary cases.
    """
    report = Report()
    schema = schemathesis.openapi.from_dict(
        copy.deepcopy(document),
        config=_config(url, key, seed, examples, without_boundaries, only_random=only_random),
    )
    phase = ""

    @schema.hook
    def after_call(_context: Any, case: schemathesis.Case[Any], response: schemathesis.Response) -> None:
        report.sent[case.operation.label] += 1
        report.accepted[case.operation.label] += response.status_code < 400
        report.phases[phase] += 1

    rules.install(schema)
    for event in _events(schema):
        if isinstance(event, events.PhaseStarted):
            phase = event.phase.name.value
        elif isinstance(event, events.ScenarioFinished):
            report.findings += _findings(event.phase.value, event.recorder)
            yield report
        elif isinstance(event, events.NonFatalError):
            report.obstacles.append(f"{event.label}: {event.info.title}: {event.info.message}")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.EngineFinished) and event.stop_reason is not StopReason.COMPLETED:
            report.obstacles.append(f"stopped: {event.stop_reason}")
    yield report


def fuzz_until(
    document: JSON, url: str, key: str, *, seed: int, cases: int, seconds: float, on_progress: Callable[[Report], None]
) -> Report:
    """Fuzz in rounds, each with the next seed, until enough cases were sent and enough time has passed."""
    total, began_at, number = Report(), time.monotonic(), 0
    while number == 0 or total.sent.total() < cases or time.monotonic() - began_at < seconds:
        reported_at = time.monotonic()
        part = Report()
        for part in fuzz(document, url, key, seed=seed + number, examples=50, only_random=number > 0):
            if time.monotonic() - reported_at > 5:
                reported_at = time.monotonic()
                on_progress(_sum(total, part))
        if not part.sent.total():
            raise RuntimeError("a round sent nothing: " + "; ".join(part.obstacles))
        total, number = _sum(total, part), number + 1
        on_progress(total)
    return total


def _events(schema: BaseSchema) -> Iterator[events.EngineEvent]:
    # Use no proxy and send no password that this machine has configured.
    with patch.dict(os.environ, {"NO_PROXY": "*", "NETRC": ""}):
        yield from from_schema(schema).execute()


def _config(
    url: str, key: str, seed: int, examples: int, without_boundaries: Sequence[str], *, only_random: bool
) -> SchemathesisConfig:
    phases: JSON = {
        "examples": {"enabled": not only_random, "fill-missing": True},
        "coverage": {"enabled": not only_random, "generate-duplicate-query-parameters": True},
    } | {name: {"enabled": True} for name in _RANDOM_PHASES}
    some = {"include-operation-id": list(without_boundaries), "phases": phases | {"coverage": {"enabled": False}}}
    return SchemathesisConfig.from_dict(
        {
            "base-url": url,
            "auth": {"openapi": {"bearer": {"bearer": key}}},
            "seed": seed,
            "workers": 1,
            "continue-on-failure": True,
            "request-timeout": 30,
            "suppress-health-check": ["all"],  # they depend on the speed of this machine
            "phases": phases,
            "operations": [some] if without_boundaries else [],
            "checks": rules.CHECKS,
            "generation": {"max-examples": examples, "database": "none"},
            "cache": {"enabled": False},  # take nothing from another run and leave nothing behind
            "output": {"sanitization": {"enabled": False}},  # reproductions need the key, which is of a test
        }
    )


def _findings(phase: str, recorder: ScenarioRecorder) -> Iterator[Finding]:
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                response = recorder.find_response(case_id=case_id)
                yield Finding(
                    phase,
                    recorder.cases[case_id].value.operation.label,
                    check.name,
                    str(check.failure_info.failure),
                    check.failure_info.code_sample,
                    "no response" if response is None else f"{response.status_code} {response.text[:500]}",
                )


def _sum(one: Report, other: Report) -> Report:
    return Report(
        one.sent + other.sent,
        one.accepted + other.accepted,
        one.phases + other.phases,
        one.findings + other.findings,
        one.obstacles + other.obstacles,
    )
