"""The benchmark: what the service costs, next to what its parts cost alone."""
