"""The measurements of the event log, the feed, the streams and the webhooks."""
