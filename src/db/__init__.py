"""PostgreSQL and Redis: connections, the ticket cache, and the embedded servers of a machine without any."""
