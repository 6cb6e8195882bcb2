"""The command that rebuilds the numbers: `./entrypoint.sh python src/ticket_numbers.py`. See its module."""

from commands.ticket_numbers import main

if __name__ == "__main__":
    main()
