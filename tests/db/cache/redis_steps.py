"""What Redis does in one step: the scripts of src/db/cache/scripts.py, as functions.

`test_scripts_match_model` compares each function with its script.
"""

from typing import Literal

from .cache_state import NO_LEASE, Fence, Key, Protocol, number_of

Reply = Literal["hit", "wait", "unfenced", "lease"]


def has_epoch(protocol: Protocol, fence: Fence | None, epoch: int) -> bool:
    """Return whether the fence allows what was read under this epoch."""
    if not protocol.fence:
        return True
    return fence is not None and (fence.epoch == epoch or not protocol.epochs)


def take_lease(protocol: Protocol, key: Key, fence: Fence | None, reader: int, release: str) -> tuple[Reply, Key]:
    """Return the reply to a reader, and the key: with its lease, if there is a fence but no body and no live lease."""
    if key.body and key.schema == release and has_epoch(protocol, fence, key.epoch):
        return "hit", key
    if key.is_live:
        return "wait", key
    if fence is None and protocol.fence:
        return "unfenced", key
    return "lease", Key(key.version, lease=reader, is_live=True)


def fill(protocol: Protocol, key: Key, reader: int, version: int, release: str, epoch: int) -> tuple[Key, bool]:
    """Return the key after a fill, and whether the body was stored."""
    if protocol.lease_to_fill and not (key.lease == reader and key.is_live):
        return key, False
    if protocol.compare_to_fill and number_of(version) < key.version:
        return release_lease(key, reader), False
    return Key(number_of(version), version, release, epoch), True


def release_lease(key: Key, reader: int) -> Key:
    """Return the key without the lease of this reader."""
    return key._replace(lease=NO_LEASE, is_live=False) if key.lease == reader else key


def invalidate_first(protocol: Protocol, key: Key, number: int) -> Key:
    """Return the key without its body and its lease, and with the floor raised.

    A body of the same or a higher number comes from a commit that PostgreSQL lost: the writer has locked the row, so
    the number is higher than every committed one.
    """
    if not protocol.drop_reused or not protocol.floor:
        return invalidate(protocol, key, number)
    if key.body or key.version < number:
        return Key(number)
    return Key(key.version) if protocol.drop_lease else key


def invalidate(protocol: Protocol, key: Key, number: int) -> Key:
    """Return the key with the floor raised; an older body and the lease are dropped."""
    if not protocol.floor:
        return Key()
    return Key(number) if key.version < number else key


def renew(fence: Fence | None, marks: int) -> Fence:
    """Return the fence renewed, or a new one, on the strength of a reading that saw so many marks."""
    return Fence(marks) if fence is None else fence._replace(marks=max(fence.marks, marks))
