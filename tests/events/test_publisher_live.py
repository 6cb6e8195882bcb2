"""The log equals the history under real load; `python tests/events/run.py --seconds 60` is the long version."""

from core.settings import Settings

from .storm import Plan, storm


async def test_the_log_equals_the_history_although_publishers_are_killed(
    own_database_dsn: str, settings: Settings
) -> None:
    own = Settings(_env_file=None, **settings.model_dump() | {"database_dsn": own_database_dsn})
    report = await storm(own, Plan(seed=7, seconds=7))
    assert report.violations == []
    assert report.done["publishers killed"] > 0
    for what in ("committed by SQL", "committed by the service", "rolled back", "read by a consumer"):
        assert report.done[what] > 0, what
    assert report.done["events"] > 500
