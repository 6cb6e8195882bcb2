"""The command that manages API keys: `./entrypoint.sh python src/keys.py`. See `commands.keys`."""

from commands.keys import main

if __name__ == "__main__":
    main()
