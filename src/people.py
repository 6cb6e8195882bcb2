"""The command for the sign-in of people: `./entrypoint.sh python src/people.py`. See `commands.people`."""

from commands.people import main

if __name__ == "__main__":
    main()
