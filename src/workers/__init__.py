"""Background work: supervised loops that run beside the requests."""
