"""The commands that operators run: serve, and keys. The modules of the same names above only call these."""
