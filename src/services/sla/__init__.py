"""Service levels: calendars of working hours, and the arithmetic of working time."""
