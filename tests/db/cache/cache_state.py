"""The state of the cache model: one ticket with its key in Redis, the fence of its group, its readers and writers."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

NO_LEASE: Final = 0

# Epochs are random, so an epoch whose fence is gone never comes back: the model needs no more than these three.
NO_EPOCH: Final = 0
CURRENT: Final = 1
GONE: Final = 2

Promise = Literal["acknowledged", "committed"]
Fault = Literal[
    "evict",
    "evict floor",
    "expire lease",
    "expire fence",
    "roll back",
    "crash",
    "fail load",
    "lose invalidation",  # it is not acknowledged, and never arrives
    "late invalidation",  # an invalidation that is not acknowledged arrives at any later time, or never
    "mark elsewhere",  # a writer of another ticket of the group marks it down, at most twice in total
    "fail over Redis",
    "fail over PostgreSQL",
]


class Protocol(NamedTuple):
    """The rules of the cache. A broken protocol sets one or more of them to False."""

    # the ticket: floor and lease
    lease_to_fill: bool = True  # a fill is refused unless its reader has the lease
    compare_to_fill: bool = True  # a fill is refused if its version is below the floor
    floor: bool = True  # an invalidation sets a floor; otherwise it only deletes the key
    before_commit: bool = True  # writers invalidate before the commit
    after_commit: bool = True  # writers invalidate after the commit
    same_lease_to_join: bool = True  # a reader joins only the load whose lease is in Redis
    compare_to_join: bool = True  # it takes the result only if that is not below the version in Redis
    fence_to_join: bool = True  # it joins only if the fence has the epoch under which that lease was taken
    # the group: the fence
    fence: bool = True  # a body is served only under the fence, and writers mark the group down
    epochs: bool = True  # the fence must have the epoch of the body
    epoch_of_lease: bool = True  # that is the epoch when its reader took the lease, not when it filled
    fence_last: bool = True  # a lookup reads the fence after the key
    read_state: bool = True  # a renewal needs a reading of the state `up`
    window: bool = True  # a renewal that arrives too long after its reading is void
    mark_with_commit: bool = True  # without the first invalidation, the group is down from the commit on
    mark_after_commit: bool = True  # without the second invalidation, an unmarked group is marked down
    wait: bool = True  # the writer then waits until the fences that were renewed before the mark are dead
    share_lock: bool = True  # a group does not come up while a writer relies on its being down
    up_when_dead: bool = True  # a group comes up only when those fences are dead
    dies_before_failover: bool = True  # a failover of Redis takes longer than a fence lives
    # failovers of PostgreSQL that lose commits
    drop_reused: bool = True  # the invalidation before the commit drops a body with the same or a higher number
    drop_lease: bool = True  # it also drops the lease whatever the floor is
    repeat_first: bool = True  # without its acknowledgement, the invalidation after the commit does the same
    new_periods: bool = True  # the time that a group is down counts anew after a failover
    look_again: bool = True  # a writer that waited marks again if PostgreSQL failed over meanwhile
    # changes that are decided without a lock
    compare_to_save: bool = True  # such a change is saved only if the row still has the version that was read
    same_server: bool = True  # it is saved by the server process that read the row, or not at all


class Case(NamedTuple):
    """One check: every order of the steps of these readers and writers, with these faults.

    The name of a reader is its process, a letter, and its release, a digit. Each release stores and reads bodies of its
    own schema. The key is evicted, or its lease expires, at most `expiries` times in total. At most `losses`
    invalidations are not acknowledged, not counting one after the commit of a writer whose first one was not. Each
    server fails over at most once. Without the fault "evict floor", a floor outlives its transaction: the floor lives
    for 30 s, and a writer aborts after 10 s.

    Writers that are `unlocked` may also decide on a row that they read without a lock.

    The promise: a read that begins after a write was "acknowledged", or already when it is "committed", returns at
    least the version of that write. With "committed", a later read also never returns an older version than an earlier
    one.
    """

    name: str
    protocol: Protocol
    promise: Promise
    faults: frozenset[Fault] = frozenset()
    readers: tuple[str, ...] = ("A1", "B1")
    writers: int = 2
    expiries: int = 2
    losses: int = 2
    is_up: bool = True  # whether the group is up at first
    unlocked: bool = False


class Key(NamedTuple):
    """The key of the ticket in Redis; `Key()` means that the key does not exist."""

    version: int = 0  # the number of the body; without a body, the floor
    body: int = 0  # the version that is stored; 0 without a body
    schema: str = ""  # the release that stored it
    epoch: int = NO_EPOCH  # the epoch of the fence when the reader that stored it took the lease
    lease: int = NO_LEASE  # the reader that took it
    is_live: bool = False  # whether the lease has not expired


class Fence(NamedTuple):
    """The fence of the group in Redis. It lives on the strength of a reading of the group: how many marks that saw."""

    marks: int = 0
    epoch: int = CURRENT


class Group(NamedTuple):
    """The row of the group in PostgreSQL; `marks` counts how often it went down."""

    is_up: bool = True
    marks: int = 0


class Reader(NamedTuple):
    """One read. `version`, `epoch` and `lease` are those that it found in the key; later those of its own load."""

    at: Literal["start", "looked", "joined", "loading", "loaded", "done"] = "start"
    needs: int = 0
    version: int = 0
    epoch: int = NO_EPOCH
    lease: int = NO_LEASE


class Writer(NamedTuple):
    """One write. From "unsure" to "ready" it holds the lock of the row."""

    at: Literal[
        "start",
        "decided",  # on a row that is not locked
        "start over",  # with the lock
        "unsure",  # whether the invalidation before the commit arrived
        "marking",  # the group down, with the commit
        "relying",  # on a group that is down, whose row it locks in share mode
        "ready",
        "committed",
        "rolled back",
        "unmarked",  # neither invalidated after the commit nor marked the group down
        "waiting",  # for the death of the fences that were renewed before its mark
        "crashed",  # after the commit; the client may repeat the request
        "done",
    ] = "start"
    version: int = 0
    is_invalidated: bool = False  # whether the invalidation before the commit was acknowledged
    mark: int = 0  # the mark on which it relies
    is_lost: bool = False  # whether a failover of PostgreSQL lost the commit
    read: int = 0  # the version on which a change without a lock was decided


class Invalidation(NamedTuple):
    """An invalidation that was not acknowledged: it arrives at any later time, or never."""

    number: int
    is_first: bool  # whether it drops any body, as before the commit


class Standby(NamedTuple):
    """What the standby of PostgreSQL has received."""

    committed: int
    group: Group


class State(NamedTuple):
    """The state of the model; `promised` is the lowest version that a read beginning now may return.

    `readings` are those of a group that is up whose renewals may still arrive: for each, how many marks it saw.
    `failed_over_at` is the number of marks at the failover of PostgreSQL. The replica and the standby are None when
    there is no failover, or none any more.
    """

    committed: int
    promised: int
    key: Key
    fence: Fence | None
    group: Group
    readings: tuple[int, ...]
    readers: tuple[Reader, ...]
    writers: tuple[Writer, ...]
    under_way: tuple[Invalidation, ...]
    replica: Key | None
    standby: Standby | None
    timeline: int
    failed_over_at: int
    expiries_left: int
    losses_left: int

    def reader(self, number: int, reader: Reader) -> "State":
        """Return the state with one reader replaced."""
        return self._replace(readers=(*self.readers[: number - 1], reader, *self.readers[number:]))

    def writer(self, number: int, writer: Writer) -> "State":
        """Return the state with one writer replaced."""
        return self._replace(writers=(*self.writers[: number - 1], writer, *self.writers[number:]))


class Step(NamedTuple):
    """A possible step: its description, the state after it, and how it breaks the promise, if it does."""

    description: str
    state: State
    broken: str = ""


Steps = Iterator[Step]


def start(case: Case) -> State:
    """Return the first state: version 1 is committed, and the group is up with a fence, or down without one."""
    group = Group() if case.is_up else Group(is_up=False, marks=1)
    return State(
        committed=1,
        promised=1,
        key=Key(),
        fence=Fence() if case.is_up else None,
        group=group,
        readings=(0,) if case.is_up else (),
        readers=(Reader(),) * len(case.readers),
        writers=(Writer(),) * case.writers,
        under_way=(),
        replica=Key() if "fail over Redis" in case.faults else None,
        standby=Standby(1, group) if "fail over PostgreSQL" in case.faults else None,
        timeline=0,
        failed_over_at=0,
        expiries_left=case.expiries,
        losses_left=case.losses if "lose invalidation" in case.faults else 0,
    )


# A version is its number; 10 higher if it was committed after the failover of PostgreSQL. So a number that is used
# again is another version, and newer versions compare as greater. Redis knows the number only.


def number_of(version: int) -> int:
    """Return the number by which Redis knows a version."""
    return version % 10


def named(version: int) -> str:
    """Return the name of a version in descriptions: 2, or 2' after the failover."""
    return f"version {number_of(version)}{chr(39) * (version > 10)}"
