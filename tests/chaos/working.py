"""The worker of the service with a schedule of seconds where operators have hours, and deliveries that never die.

The order within a ticket is held as long as it takes, so that the storm can check it.
"""

from typing import Final

from commands.worker import main
from services.webhooks.schedule import Schedule

SCHEDULE: Final = Schedule(
    retries_s=(0.1, 0.2, *[0.5] * 1000),
    first_pause_s=0.2,
    max_pause_s=1,
    throttled_s=1,
    timeout_s=1,
    grace_s=0.5,
    claim_s=3,
    order_s=24 * 3600,
)

if __name__ == "__main__":
    main(SCHEDULE)
