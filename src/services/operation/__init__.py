"""Operation: health, metrics, and periodic maintenance."""
