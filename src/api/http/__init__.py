"""HTTP mechanisms: conditional requests, headers, the connection class of the server, its shutdown."""
