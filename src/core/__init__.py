"""The foundation that every layer may import, and that imports no layer: settings, errors, logs, metrics, deadlines."""
