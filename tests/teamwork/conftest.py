"""A service with an agent, a requester and a participant; and one with an admin."""

import pytest

from access.conftest import agent, alice, guarded_settings, mallory, service, service_sql
from directory.conftest import Directory, directory
from teamwork.random_tickets import Desk

__all__ = ["agent", "alice", "directory", "guarded_settings", "mallory", "service", "service_sql"]


@pytest.fixture(scope="module")
async def desk(directory: Directory) -> Desk:
    desk = Desk(directory)
    await desk.fill()
    return desk
