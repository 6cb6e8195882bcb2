"""Redis: the cluster client, one multiplexed connection per node, the breaker and the rate limiter."""
