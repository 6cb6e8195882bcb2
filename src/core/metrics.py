"""The metrics of the service; `/metrics` exposes them.

Each process counts in its own memory. With several workers, `core.shared_metrics` adds the processes up.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# The time at which a counter was created would differ between the processes.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY: Final = CollectorRegistry()
# From a cached lookup, which takes one millisecond, to the timeouts of the database.
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

request_seconds: Final = Histogram(
    "tickets_http_request_duration_seconds",
    "Time from the arrival of an HTTP request to the end of its response, in seconds, by method, route and status. "
    "The route is the path template. The status is 499 if the client closed the connection first.",
    ["method", "route", "status"],
    buckets=SECONDS,
    registry=REGISTRY,
)
requests_in_flight: Final = Gauge(
    "tickets_http_requests_in_flight",
    "HTTP requests in progress; updated every second.",
    registry=REGISTRY,
)
rate_limited_requests: Final = Counter(
    "tickets_rate_limited_requests_total",
    "HTTP requests refused (429) because the client exceeded the rate limit.",
    registry=REGISTRY,
)
failed_authentications: Final = Counter(
    "tickets_failed_authentications_total",
    "HTTP requests refused because their credentials were invalid, expired or revoked, "
    "or because their address had too many failed authentications.",
    registry=REGISTRY,
)
tickets_created: Final = Counter("tickets_created_total", "Tickets created.", registry=REGISTRY)
transitions: Final = Counter(
    "tickets_transitions_total",
    "Committed status transitions of tickets, by the status before (from) and after (to).",
    ["from", "to"],
    registry=REGISTRY,
)
tickets_by_status: Final = Gauge(
    "tickets_by_status",
    "Tickets in the database at the last count, by status.",
    ["status"],
    registry=REGISTRY,
)
tickets_counted_at: Final = Gauge(
    "tickets_counted_timestamp_seconds",
    "Time of the last count of tickets, in seconds since the Unix epoch.",
    registry=REGISTRY,
)
cache_events: Final = Counter(
    "tickets_cache_events_total",
    "Events of the ticket cache, by event, for example hits, fills or failed_invalidations.",
    ["event"],
    registry=REGISTRY,
)
breaker_open: Final = Gauge(
    "tickets_cache_breaker_open",
    "Worker processes that send no requests to a Redis node because their circuit breaker for it is open, "
    "by the shard of the node.",
    ["shard"],
    registry=REGISTRY,
)
cache_groups_down: Final = Gauge(
    "tickets_cache_groups_down",
    "Groups of tickets, of 32, whose cached tickets are not served because an invalidation did not reach Redis.",
    registry=REGISTRY,
)
pool_size: Final = Gauge(
    "tickets_database_pool_size",
    "Maximum number of PostgreSQL connections, by pool.",
    ["pool"],
    registry=REGISTRY,
)
pool_in_use: Final = Gauge(
    "tickets_database_pool_in_use",
    "PostgreSQL connections in use, by pool.",
    ["pool"],
    registry=REGISTRY,
)
pool_waiting: Final = Gauge(
    "tickets_database_pool_waiting",
    "Operations waiting for a PostgreSQL connection, by pool.",
    ["pool"],
    registry=REGISTRY,
)
event_streams: Final = Gauge(
    "tickets_event_streams",
    "Open streams of events.",
    registry=REGISTRY,
)
event_frames: Final = Counter(
    "tickets_event_frames_total",
    "Events that were written to streams.",
    registry=REGISTRY,
)
event_log_rounds: Final = Counter(
    "tickets_event_log_rounds_total",
    "Rounds of the publisher of the event log that ended without a failure, also those without events.",
    registry=REGISTRY,
)
events_published: Final = Counter(
    "tickets_events_published_total",
    "Events that got a position in the event log.",
    registry=REGISTRY,
)
event_log_lag_events: Final = Gauge(
    "tickets_event_log_lag_events",
    "Committed events that have no position in the event log yet, at most 10,000; updated every five seconds.",
    registry=REGISTRY,
)
event_log_lag_seconds: Final = Gauge(
    "tickets_event_log_lag_seconds",
    "Age of the oldest committed event that has no position in the event log yet, in seconds; 0 without one.",
    registry=REGISTRY,
)
background_failures: Final = Counter(
    "tickets_background_failures_total",
    "Failures of background work, by work; it is restarted after each.",
    ["work"],
    registry=REGISTRY,
)
timers_fired: Final = Counter(
    "tickets_timers_fired_total",
    "Timers of tickets that fired, by the type of the event: sla_warned, sla_breached, close_warned, changed (an "
    "automatic close or the end of its plan).",
    ["type"],
    registry=REGISTRY,
)
timer_lag: Final = Gauge(
    "tickets_timer_lag_seconds",
    "How long the timer of a ticket has been due that is due for the longest time, in seconds; 0 if none is due.",
    registry=REGISTRY,
)
webhook_attempts: Final = Counter(
    "tickets_webhook_attempts_total",
    "Attempts to deliver an event to a webhook endpoint, by outcome: delivered, failed (to be retried), dead (the last "
    "attempt failed), skipped (not sent, because the owner may no longer see the event), lost (another process has "
    "taken over).",
    ["outcome"],
    registry=REGISTRY,
)
webhook_oldest_pending: Final = Gauge(
    "tickets_webhook_oldest_pending_seconds",
    "Age of the oldest event that is not yet delivered to a webhook endpoint, in seconds, by endpoint; 0 without one.",
    ["endpoint"],
    registry=REGISTRY,
)
webhook_dead: Final = Gauge(
    "tickets_webhook_dead_deliveries",
    "Deliveries to a webhook endpoint whose last attempt failed, of the last 30 days, by endpoint.",
    ["endpoint"],
    registry=REGISTRY,
)
log_lines_lost: Final = Counter(
    "tickets_log_lines_lost_total",
    "Lines of the log that could not be written, for example because the disk is full.",
    registry=REGISTRY,
)

# They describe the database, not a process: the process counts that `core.shared_metrics.is_leader` names.
OF_THE_LEADER: Final = frozenset(
    {
        "tickets_by_status",
        "tickets_counted_timestamp_seconds",
        "tickets_webhook_oldest_pending_seconds",
        "tickets_webhook_dead_deliveries",
        "tickets_event_log_lag_events",
        "tickets_event_log_lag_seconds",
        "tickets_timer_lag_seconds",
    }
)
