"""The protocol of the ticket cache, checked over every order of its steps; start here to learn it.

One ticket, readers that read it once each and writers that change it once each:

    reader   look → hit, or else: join a load of its own process, or ask for the lease, or be told to wait
             lease → load → fill            wait → look again, or load without storing
    writer   lock → put the floor → commit, or roll back → invalidate again → acknowledge

`cache_steps` tells each of these steps. `check` walks through every order in which they can follow each other and
returns the shortest that ends in a stale read, if there is one. Why each part of the protocol is there is shown by the
broken ones: each lacks one, and the check finds what that costs. To see them: `python tests/db/cache/cache_model.py`.

So that fewer states need be seen, and none that differs is lost: a read begins when Redis is asked, a write is
acknowledged as soon as its last invalidation was made (later beginnings and earlier acknowledgements demand more); and
of readers, or writers, that have no difference but their number, the lower number begins first.
"""

import sys
from collections import deque
from time import process_time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING or __package__:
    from .cache_steps import Case, Fault, Key, Protocol, Reader, State, Writer, steps
else:  # run by its path
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

_ANY: Final = frozenset[Fault]({"evict floor", "end lease", "roll back", "crash", "fail load", "lose floor"})
_FLOORS_LAST: Final = _ANY - {"evict floor", "lose floor"} | frozenset[Fault]({"evict"})

# What the design claims: what was acknowledged is read whatever is lost, what was committed is as long as a floor
# outlives its transaction.
HOLDING: Final = (
    Case("two processes, any fault", REAL, "acknowledged", _ANY),
    Case("two processes, floors last", REAL, "committed", _FLOORS_LAST),
    Case("one process, any fault", REAL, "acknowledged", _ANY, ONE_PROCESS),
    Case("one process, floors last", REAL, "committed", _FLOORS_LAST, ONE_PROCESS),
    Case("two releases, floors last", REAL, "committed", _FLOORS_LAST, TWO_RELEASES),
    Case("three readers, any fault", REAL, "acknowledged", _ANY, THREE, writers=1, expiries=1),
    Case("three readers, floors last", REAL, "committed", _FLOORS_LAST, THREE, writers=1, expiries=1),
    Case("three readers, two writers", REAL, "acknowledged", frozenset({"evict floor"}), THREE, expiries=1),
)

# One part missing each, and the fewest faults that show it.
BROKEN: Final = (
    Case("plain DEL", PLAIN_DEL, "acknowledged"),
    Case("version only", VERSION_ONLY, "acknowledged"),
    Case("floor only", FLOOR_ONLY, "acknowledged", frozenset({"evict"})),
    Case("lease only", LEASE_ONLY, "committed"),
    Case("no floor before the commit", NOT_BEFORE, "committed"),
    Case("no invalidation after the commit", NOT_AFTER, "acknowledged", frozenset({"evict floor"})),
    Case("shared flight, versions not compared", JOIN_OLD, "acknowledged", readers=ONE_PROCESS),
    Case(
        "shared flight, leases not compared", JOIN_OTHER_LEASE, "acknowledged", frozenset({"evict"}), THREE, writers=1
    ),
)

# What the design does not claim: between a commit and its acknowledgement, if the floor was lost before the commit.
BEYOND: Final = (Case("a floor evicted before its commit", REAL, "committed", frozenset({"evict floor"})),)

Trail = tuple["Trail", str] | None


def check(case: Case) -> tuple[int, list[str]]:
    """Return how many states were seen, and in words the shortest way to a stale read; none if the promise holds."""
    start = State(1, 1, Key(), (Reader(),) * len(case.readers), (Writer(),) * case.writers, case.expiries)
    seen = {start}
    queue: deque[tuple[State, Trail]] = deque([(start, None)])
    while queue:
        now, trail = queue.popleft()
        for step in steps(case, now):
            if step.stale:
                return len(seen), [*_words((trail, step.words)), step.stale]
            if step.then not in seen:
                seen.add(step.then)
                queue.append((step.then, (trail, step.words)))
    return len(seen), []


def _words(trail: Trail) -> list[str]:
    return [] if trail is None else [*_words(trail[0]), trail[1]]


def main() -> None:
    """Print what holds in how many states, and what goes wrong where something is missing."""
    for title, cases in (("the protocol", HOLDING), ("without one of its parts", BROKEN), ("beyond its claim", BEYOND)):
        sys.stdout.write(f"{title:38} {'promised is what was':20} {'states':>7} {'seconds':>8}\n")
        for case in cases:
            began_at = process_time()
            states, way = check(case)
            took_s = process_time() - began_at
            sys.stdout.write(
                f"  {case.name:36} {case.promise:20} {states:7} {took_s:8.2f}  {'FAILS' if way else 'holds'}\n"
            )
            sys.stdout.writelines(f"      {words}\n" for words in way)
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
