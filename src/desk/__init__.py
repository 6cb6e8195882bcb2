"""The desk: pages for agents, served by the service itself. It calls the same services as the API."""
