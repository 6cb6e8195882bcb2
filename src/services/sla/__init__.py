"""Service levels: calendars, policies, and the clocks of tickets."""
