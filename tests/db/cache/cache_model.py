"""A model of the cache protocol, checked over every order of its steps. Start here to learn the protocol.

The model has one ticket, and the group of tickets that shares a fence with it. Each reader reads the ticket once, and
each writer changes it once:

    reader   look up the key, then the fence → hit if the fence has the epoch of the body; or join a load of its process
             otherwise → take the lease under the fence → load → fill; or wait, and load without a fill
    writer   lock the row → invalidate (raise the floor) → commit or roll back → invalidate again → acknowledge

    without a lock, at first           read the row → invalidate → commit if the row still has the version that was
                                       read; otherwise, or without the first reply of Redis, start over with the lock

    without the first reply of Redis   mark the group down with the commit, or rely on its being down
    without the second reply           mark the group down if that is not done → wait until the fence is dead

    renewer  read the state of the group → if it is up, renew the fence, or make one with a new epoch;
             if it is down and the fence is dead, set it up

Read on in this order:

- `cache_state` has the parts of the protocol, the faults, and the state of the model.
- `redis_steps`, `reader_steps`, `writer_steps` and `fence_steps` have the steps.
- `cache_cases` has the cases. `HOLDING` and `UNLOCKED` are the guarantees. `BROKEN` and `OVERWRITING` show why each
  part is needed: each of their protocols lacks one part, and `check` finds a stale read, or a change that is lost.

The property: a read that begins after an acknowledgement returns at least that version, and no writer overwrites a
version that it has not seen. `check` explores every order of
the steps, and returns the shortest order that breaks it, if one exists. To print all of them, run
`python tests/db/cache/cache_model.py`; with `--full`, it also checks the large cases, which takes minutes.

The model has no clock, but what the times guarantee. A writer that has waited knows that no fence is alive, and that no
renewal will arrive, on the strength of a reading older than its mark: the wait is longer than the life of a fence and
the window of a renewal together. A fence dies before a replica of Redis is promoted. Each server has one primary at a
time. One kind of read is outside the model and the property: a read without a fence loads from PostgreSQL, but while
PostgreSQL is unavailable it may return a stored body, labelled `stale-if-error`.

Simplifications reduce the number of states without hiding a stale read. A read begins when its lookup reaches Redis,
and a write is acknowledged immediately after its last invalidation: both make the property stricter. A reader that may
not use what it found begins again, as a read that begins later. There may be any number of renewers. Of readers or
writers that differ in their number only, the lower number begins first.
"""

import sys
from collections import deque
from pathlib import Path
from time import process_time

if not __package__:  # executed by its path
    sys.path.insert(0, str(Path(__file__).parents[3]))
    __package__ = "tests.db.cache"

from .cache_cases import BEYOND, BROKEN, FULL, HOLDING, OVERWRITING, UNLOCKED
from .cache_state import Case, State, Steps, start
from .fence_steps import deliver, expire, fail_over, mark_elsewhere, renew_or_set_up
from .reader_steps import READER_STEPS
from .writer_steps import WRITER_STEPS

Trail = tuple["Trail", str] | None


def check(case: Case) -> tuple[int, list[str]]:
    """Return the number of states, and the shortest sequence of steps that breaks the promise; empty if it holds."""
    first = start(case)
    seen = {first}
    queue: deque[tuple[State, Trail]] = deque([(first, None)])
    while queue:
        now, trail = queue.popleft()
        for step in steps(case, now):
            if step.broken:
                return len(seen), [*_descriptions((trail, step.description)), step.broken]
            if step.state not in seen:
                seen.add(step.state)
                queue.append((step.state, (trail, step.description)))
    return len(seen), []


def steps(case: Case, now: State) -> Steps:
    """Return every step that is possible next."""
    for number, reader in enumerate(now.readers, 1):
        if reader.at in READER_STEPS:
            yield from READER_STEPS[reader.at](case, now, number, reader)
    for number, writer in enumerate(now.writers, 1):
        if writer.at in WRITER_STEPS:
            yield from WRITER_STEPS[writer.at](case, now, number, writer)
    for others in (renew_or_set_up, mark_elsewhere, expire, deliver, fail_over):
        yield from others(case, now)


def main(*, full: bool = False) -> None:
    """Print whether each protocol holds and in how many states, and the sequence of steps that breaks it."""
    holding = HOLDING + UNLOCKED + (FULL if full else ())
    for title, cases in (
        ("the protocol", holding),
        ("without one part", BROKEN + OVERWRITING),
        ("not guaranteed", BEYOND),
    ):
        sys.stdout.write(f"{title:46} {'promise':14} {'states':>8} {'seconds':>8}\n")
        for case in cases:
            began_at = process_time()
            states, path = check(case)
            took_s = process_time() - began_at
            sys.stdout.write(
                f"  {case.name:44} {case.promise:14} {states:8} {took_s:8.2f}  {'FAILS' if path else 'holds'}\n"
            )
            sys.stdout.writelines(f"      {description}\n" for description in path)
            sys.stdout.flush()
        sys.stdout.write("\n")


def _descriptions(trail: Trail) -> list[str]:
    return [] if trail is None else [*_descriptions(trail[0]), trail[1]]


if __name__ == "__main__":
    main(full="--full" in sys.argv[1:])
