"""A service with an agent, a requester and a participant; and one with an admin."""

from access.conftest import agent, alice, guarded_settings, mallory, service, service_sql
from directory.conftest import directory

__all__ = ["agent", "alice", "directory", "guarded_settings", "mallory", "service", "service_sql"]
