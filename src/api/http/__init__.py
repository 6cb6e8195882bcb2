"""What HTTP itself asks for: conditional requests, links, idempotency keys, and the connection class of the server."""
