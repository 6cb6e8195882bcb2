"""Checks a history and lists its violations.

For each ticket: a successful read returns a version no older than the newest one that was acknowledged before the read
began, and no newer than the newest one whose write had begun when the read ended. Its content is that of the version.
The versions have no gap, and every transition is legal. Every acknowledged write exists exactly once, every unknown one
at most once, every refused one never, and each refusal has a reason.

Two kinds of reads are counted apart, and are no violations: those that say that they may be stale (stale-if-error), and
those that return an older version than an earlier read, if the newer version was not acknowledged before they began.
"""

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from chaos.history import Final, History, Kind, Operation, Outcome, State
from models import TicketStatus
from services.tickets.ticket_status import INITIAL, TRANSITIONS


@dataclass(frozen=True, slots=True)
class Violation:
    """A violation of a ticket (None if it is unknown), at a time (the end by default)."""

    ticket_id: int | None
    message: str
    at: float = math.inf

    def __str__(self) -> str:
        return f"ticket {self.ticket_id}: {self.message}"


@dataclass(slots=True)
class Verdict:
    """The violations, and the numbers of reads that are counted apart."""

    violations: list[Violation] = field(default_factory=list)
    apart: Counter[str] = field(default_factory=Counter)


def check(history: History) -> Verdict:
    """Return the verdict on a history."""
    verdict = Verdict()
    by_ticket: dict[int, list[Operation]] = defaultdict(list)
    for operation in history.operations:
        if operation.outcome is Outcome.FAILED:
            verdict.violations.append(Violation(operation.ticket_id, f"failed: {operation}", operation.ended_at))
        if operation.ticket_id is not None:
            by_ticket[operation.ticket_id].append(operation)
    verdict.violations += _occurrence_violations(history)
    for ticket_id in sorted(by_ticket.keys() | history.finals.keys()):
        final = history.finals.get(ticket_id)
        if final is None:
            verdict.violations.append(Violation(ticket_id, "is lost"))
            continue
        states = _replayed(final)
        verdict.violations += (Violation(ticket_id, message) for message in _final_violations(final, states))
        ticket = _Ticket(by_ticket[ticket_id], states, _writers(final, by_ticket[ticket_id]))
        for operation, message in ticket.violations(verdict.apart):
            verdict.violations.append(Violation(ticket_id, f"{message}: {operation}", operation.ended_at))
    return verdict


def _occurrence_violations(history: History) -> Iterator[Violation]:
    """Check that each write occurs in the final state as often as its outcome requires."""
    occurrences: dict[str | None, list[tuple[int, int]]] = defaultdict(list)
    for final in history.finals.values():
        for event in final.events:
            occurrences[event.token].append((final.ticket_id, event.version))
    writes = {each.token: each for each in history.operations if each.kind.is_write}
    for token, found in occurrences.items():
        if token not in writes:
            yield Violation(found[0][0], f"version {found[0][1]} was written by no client: {token}")
    for token, write in writes.items():
        found = occurrences[token]
        if write.outcome is Outcome.ACKNOWLEDGED and found != [(write.ticket_id, write.version)]:
            yield Violation(write.ticket_id, f"acknowledged once, but found at {found or 'no version'}: {write}")
        if write.outcome is Outcome.REFUSED and found:
            yield Violation(write.ticket_id, f"refused, but found at {found}: {write}")
        if len(found) > 1 and write.outcome is not Outcome.ACKNOWLEDGED:
            yield Violation(write.ticket_id, f"found {len(found)} times: {write}")


def _replayed(final: Final) -> dict[int, State]:
    """Return the state of each version by replaying the events. Other functions check the events themselves."""
    states: dict[int, State] = {}
    status, subject, comments, last_comment = str(INITIAL), "", 0, None
    for event in final.events:
        if event.moved:
            status = event.moved[1]
        if event.is_comment:
            comments, last_comment = comments + 1, event.token
        else:
            subject = event.token or subject
        states[event.version] = State(status, subject, comments, last_comment)
    return states


def _final_violations(final: Final, states: dict[int, State]) -> Iterator[str]:
    """Check that the events are complete and legal, and that they lead to the row and the comments."""
    versions = [event.version for event in final.events]
    if versions != list(range(1, final.version + 1)):
        yield f"is at version {final.version}, but its events are {versions}"
    status = str(INITIAL)
    for event in final.events:
        if TicketStatus(status) is TicketStatus.CLOSED:
            yield f"version {event.version} comes after it was closed"
        if event.moved:
            before, after = event.moved
            if before != status or TicketStatus(after) not in TRANSITIONS[TicketStatus(before)]:
                yield f"version {event.version} goes from {before} to {after}, and the ticket was {status}"
            status = after
    if states.get(final.version) != final.state:
        yield f"is {final.state}, but its events lead to {states.get(final.version)}"
    expected, stored = Counter(event.token or "" for event in final.events if event.is_comment), Counter(final.comments)
    if expected != stored:
        missing, surplus = expected - stored, stored - expected
        yield f"comments without an event: {list(surplus)}; events without a comment: {list(missing)}"


def _writers(final: Final, operations: Iterable[Operation]) -> dict[int, Operation]:
    """Return the operation that wrote each version, as far as the clients know it."""
    by_token = {each.token: each for each in operations if each.kind.is_write}
    return {event.version: by_token[event.token] for event in final.events if event.token in by_token}


class _Ticket:
    """Checks the operations of one ticket."""

    def __init__(self, operations: list[Operation], states: dict[int, State], writers: dict[int, Operation]) -> None:
        self._operations = operations
        self._states = states
        self._writers = writers
        known = [each for each in operations if each.version is not None]
        self._newest_read = _Newest([each for each in known if each.kind is Kind.READ and not _is_labelled(each)])
        self._newest_acknowledged = _Newest([each for each in known if each.kind is not Kind.READ])

    def violations(self, apart: Counter[str]) -> Iterator[tuple[Operation, str]]:
        """Yield each violating operation with a message, and count in `apart` the reads that are counted apart."""
        for operation in self._operations:
            if operation.outcome is Outcome.REFUSED:
                messages = self._refusal(operation)
            elif operation.version is None:
                continue
            elif operation.kind is Kind.READ:
                messages = self._read(operation, apart)
            elif operation.kind is Kind.CONFIRM:
                messages = self._confirmation(operation)
            else:
                messages = self._write(operation)
            yield from ((operation, message) for message in messages)

    def _read(self, read: Operation, apart: Counter[str]) -> Iterator[str]:
        assert read.version is not None
        acknowledged = self._newest_acknowledged.before(read.began_at)
        is_stale = acknowledged is not None and read.version < (acknowledged.version or 0)
        if _is_labelled(read):
            apart["labelled stale-if-error"] += 1
            apart["labelled stale-if-error, and stale"] += is_stale
        elif is_stale:
            yield f"a read is stale after ({acknowledged})"
        else:
            seen = self._newest_read.before(read.began_at)
            if seen is not None and read.version < (seen.version or 0):
                apart["older than an earlier read of a version not yet acknowledged"] += 1
        state = self._states.get(read.version)
        if state is None:
            yield "a read returned a version that never existed"
            return
        writer = self._writers.get(read.version)
        if writer is not None and writer.began_at > read.ended_at:
            yield f"a read came from the future, before ({writer})"
        if read.seen is not None and read.seen != state:
            yield f"a read showed {read.seen}, but that version was {state}"

    def _confirmation(self, confirmed: Operation) -> Iterator[str]:
        assert confirmed.version is not None
        newest = self._newest_acknowledged.before(confirmed.began_at)
        if newest is not None and confirmed.version < (newest.version or 0):
            yield f"an edit without a change is stale after ({newest})"
        if confirmed.version != confirmed.expected:
            yield "an edit without a change was made on a version that it did not expect"

    def _write(self, write: Operation) -> Iterator[str]:
        assert write.version is not None
        newest = self._newest_acknowledged.before(write.began_at)
        if newest is not None and newest.version is not None and write.version <= newest.version:
            yield f"a write got no newer version than was known before it ({newest})"
        if write.expected is not None and write.version != write.expected + 1:
            yield "a write replaced a version that it did not expect"

    def _refusal(self, refused: Operation) -> Iterator[str]:
        """Check that one of the versions that the request may have met is a reason for the refusal."""
        newest = self._newest_acknowledged.before(refused.began_at)
        if refused.kind is Kind.READ or newest is None or newest.version is None:
            yield "a request was refused that can not be refused"
            return
        for version, state in self._states.items():
            writer = self._writers.get(version)
            if version < newest.version or (writer is not None and writer.began_at > refused.ended_at):
                continue
            if _refuses(state, version, refused):
                return
        yield f"refused for no reason after ({newest})"


def _refuses(state: State, version: int, write: Operation) -> bool:
    status = TicketStatus(state.status)
    return (
        not TRANSITIONS[status]
        or (write.target is not None and TicketStatus(write.target) not in TRANSITIONS[status])
        or (write.expected is not None and write.expected != version)
    )


def _is_labelled(read: Operation) -> bool:
    """Return whether a response says that it may be stale, because PostgreSQL was unavailable (RFC 5861)."""
    return "stale-if-error" in read.how


class _Newest:
    """Finds the operation with the newest version among those that had ended at a time."""

    def __init__(self, operations: list[Operation]) -> None:
        self._ended_at: list[float] = []
        self._operations: list[Operation] = []
        for operation in sorted(operations, key=lambda each: each.ended_at):
            newest = self._operations[-1] if self._operations else operation
            is_newer = (operation.version or 0) > (newest.version or 0)
            self._ended_at.append(operation.ended_at)
            self._operations.append(operation if is_newer else newest)

    def before(self, time_s: float) -> Operation | None:
        """Return that operation, or None if none had ended."""
        found = bisect_left(self._ended_at, time_s)
        return self._operations[found - 1] if found else None
