"""Settings and the error tree: what every layer may use and nothing here uses a layer."""
