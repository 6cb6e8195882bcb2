"""Durations in buckets whose limits grow by 9 %, so that percentiles of any number of durations cost little.

A bucket stands for the middle of its limits by ratio: a percentile differs from the exact one by 4.5 % at most.
"""

import math
from collections.abc import Mapping
from typing import Final

_PER_DOUBLING: Final = 8


def bucket_of(seconds: float) -> int:
    """Return the bucket of a duration; one below a second is in the first, 0."""
    return round(_PER_DOUBLING * math.log2(max(seconds, 1)))


def seconds_of(bucket: int) -> float:
    """Return the duration that a bucket stands for, in seconds."""
    seconds: float = 2.0 ** (bucket / _PER_DOUBLING)
    return round(seconds, 1)


def percentile(counts: Mapping[int, int], fraction: float) -> float | None:
    """Return the duration that `fraction` of the durations do not exceed, in seconds; None without durations.

    `counts` has the numbers of durations by their buckets. The method is that of the nearest rank.
    """
    total = sum(counts.values())
    rank = math.ceil(fraction * total)
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank:
            return seconds_of(bucket)
    return None
