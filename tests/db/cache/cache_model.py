"""A model of the cache protocol, checked over every order of its steps. Start here to learn the protocol.

The model has one ticket. Each reader reads it once, and each writer changes it once:

    reader   look up → hit, or: join a load of its process, take the lease, or wait for the lease of another reader
             lease → load → fill            wait → look up again, or load without a fill
    writer   lock the row → invalidate (raise the floor) → commit or roll back → invalidate again → acknowledge

`cache_steps` defines these steps. `check` explores every order of them, and returns the shortest order that ends in a
stale read, if one exists. `BROKEN` shows why each part of the protocol is needed: each of its protocols lacks one part,
and `check` finds a stale read. To print all of them, run `python tests/db/cache/cache_model.py`.

Two simplifications reduce the number of states without hiding a stale read. A read begins when its lookup reaches
Redis, and a write is acknowledged immediately after its last invalidation: both make the promise stricter. Of readers
or writers that differ in their number only, the lower number begins first.
"""

import sys
from collections import deque
from time import process_time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING or __package__:
    from .cache_steps import Case, Fault, Key, Protocol, Reader, State, Writer, steps
else:  # executed by its path
    from cache_steps import Case, Fault, Key, Protocol, Reader, State, Writer, steps

REAL: Final = Protocol()

PLAIN_DEL: Final = Protocol(lease_to_fill=False, compare_to_fill=False, floor=False, before_commit=False)
VERSION_ONLY: Final = Protocol(lease_to_fill=False, floor=False, before_commit=False)
FLOOR_ONLY: Final = Protocol(lease_to_fill=False)
LEASE_ONLY: Final = Protocol(compare_to_fill=False, floor=False, before_commit=False)
NOT_BEFORE: Final = Protocol(before_commit=False)
NOT_AFTER: Final = Protocol(after_commit=False)
JOIN_OLD: Final = Protocol(compare_to_join=False)
JOIN_OTHER_LEASE: Final = Protocol(same_lease_to_join=False)

ONE_PROCESS: Final = ("A1", "A1")
TWO_RELEASES: Final = ("A1", "B2")
THREE: Final = ("A1", "A1", "B1")

_ANY: Final = frozenset[Fault]({"evict floor", "expire lease", "roll back", "crash", "fail load", "lose floor"})
_KEEPS_FLOORS: Final = _ANY - {"evict floor", "lose floor"} | frozenset[Fault]({"evict"})

# The guarantees of the design. A read never returns less than an acknowledged version, whatever Redis loses; and never
# less than a committed version, as long as a floor is not evicted before its transaction ends.
HOLDING: Final = (
    Case("two processes, any fault", REAL, "acknowledged", _ANY),
    Case("two processes, floors kept", REAL, "committed", _KEEPS_FLOORS),
    Case("one process, any fault", REAL, "acknowledged", _ANY, ONE_PROCESS),
    Case("one process, floors kept", REAL, "committed", _KEEPS_FLOORS, ONE_PROCESS),
    Case("two releases, floors kept", REAL, "committed", _KEEPS_FLOORS, TWO_RELEASES),
    Case("three readers, any fault", REAL, "acknowledged", _ANY, THREE, writers=1, expiries=1),
    Case("three readers, floors kept", REAL, "committed", _KEEPS_FLOORS, THREE, writers=1, expiries=1),
    Case("three readers, two writers", REAL, "acknowledged", frozenset({"evict floor"}), THREE, expiries=1),
)

# Protocols that lack one part each, with the fewest faults that lead to a stale read.
BROKEN: Final = (
    Case("plain DEL", PLAIN_DEL, "acknowledged"),
    Case("version only", VERSION_ONLY, "acknowledged"),
    Case("floor only", FLOOR_ONLY, "acknowledged", frozenset({"evict"})),
    Case("lease only", LEASE_ONLY, "committed"),
    Case("no floor before the commit", NOT_BEFORE, "committed"),
    Case("no invalidation after the commit", NOT_AFTER, "acknowledged", frozenset({"evict floor"})),
    Case("joined load, versions not compared", JOIN_OLD, "acknowledged", readers=ONE_PROCESS),
    Case("joined load, leases not compared", JOIN_OTHER_LEASE, "acknowledged", frozenset({"evict"}), THREE, writers=1),
)

# Not guaranteed: after a floor was evicted before its commit, reads may be stale until the write is acknowledged.
BEYOND: Final = (Case("a floor evicted before its commit", REAL, "committed", frozenset({"evict floor"})),)

Trail = tuple["Trail", str] | None


def check(case: Case) -> tuple[int, list[str]]:
    """Return the number of states, and the shortest sequence of steps to a stale read; empty if the promise holds."""
    start = State(1, 1, Key(), (Reader(),) * len(case.readers), (Writer(),) * case.writers, case.expiries)
    seen = {start}
    queue: deque[tuple[State, Trail]] = deque([(start, None)])
    while queue:
        now, trail = queue.popleft()
        for step in steps(case, now):
            if step.stale:
                return len(seen), [*_descriptions((trail, step.description)), step.stale]
            if step.state not in seen:
                seen.add(step.state)
                queue.append((step.state, (trail, step.description)))
    return len(seen), []


def _descriptions(trail: Trail) -> list[str]:
    return [] if trail is None else [*_descriptions(trail[0]), trail[1]]


def main() -> None:
    """Print whether each protocol holds and in how many states, and the sequence of steps that breaks it."""
    for title, cases in (("the protocol", HOLDING), ("without one part", BROKEN), ("not guaranteed", BEYOND)):
        sys.stdout.write(f"{title:38} {'promise':20} {'states':>7} {'seconds':>8}\n")
        for case in cases:
            began_at = process_time()
            states, path = check(case)
            took_s = process_time() - began_at
            sys.stdout.write(
                f"  {case.name:36} {case.promise:20} {states:7} {took_s:8.2f}  {'FAILS' if path else 'holds'}\n"
            )
            sys.stdout.writelines(f"      {description}\n" for description in path)
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
