"""RFC 9457 problem details: the types, their handlers and their pages."""
