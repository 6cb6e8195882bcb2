"""HTTP: each route parses, calls one method of a service, and returns a response."""
