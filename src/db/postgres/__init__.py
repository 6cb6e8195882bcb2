"""PostgreSQL: connections, the pool, statements, failures and migrations."""
