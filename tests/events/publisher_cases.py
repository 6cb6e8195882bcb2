"""The cases of the model of the publisher: the protocol, and protocols that lack one part each."""

import sys
from time import process_time
from typing import Final

from .publisher_model import Case, Protocol, check

HOLDING: Final = (
    Case("three writers, two publishers"),
    Case("one ticket", tickets="AAA", aborts=0),
    Case("three tickets", tickets="ABC", aborts=0, kills=0),
    Case("three publishers", tickets="AA", rounds=(1, 1, 1)),
)
BROKEN: Final = tuple(
    Case(name, protocol, tickets=tickets, aborts=0, kills=0)
    for name, protocol, tickets in (
        ("the highest id", Protocol(way="highest id"), "AB"),
        ("the oldest transaction, by transaction id", Protocol(way="oldest transaction"), "AA"),
        ("state read before the lock", Protocol(lock_before_state=False), "AA"),
        ("no lock", Protocol(lock=False), "AA"),
        ("transactions under way forgotten", Protocol(under_way=False), "AB"),
        ("another snapshot noted", Protocol(same_snapshot=False), "AB"),
        ("sorted by transaction id", Protocol(by_time=False), "AA"),
        ("state committed after the positions", Protocol(with_state=False), "AA"),
    )
)


def main() -> None:
    """Print whether each protocol holds and in how many states, and the sequence of steps that breaks it."""
    for title, cases in (("the protocol", HOLDING), ("without one part", BROKEN)):
        sys.stdout.write(f"{title:46} {'states':>8} {'seconds':>8}\n")
        for case in cases:
            began_at = process_time()
            states, path = check(case)
            took_s = process_time() - began_at
            sys.stdout.write(f"  {case.name:44} {states:8} {took_s:8.2f}  {'FAILS' if path else 'holds'}\n")
            sys.stdout.writelines(f"      {description}\n" for description in path)
        sys.stdout.write("\n")
