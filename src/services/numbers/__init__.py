"""Numbers of tickets."""
