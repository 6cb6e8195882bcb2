"""The command that checks and repairs clocks: `./entrypoint.sh python src/service_levels.py`. See its module."""

from commands.service_levels import main

if __name__ == "__main__":
    main()
