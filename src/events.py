"""The command that manages the event log: `./entrypoint.sh python src/events.py`. See `commands.events`."""

from commands.events import main

if __name__ == "__main__":
    main()
