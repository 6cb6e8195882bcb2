"""The command that serves: `python src/serve.py`, which `./entrypoint.sh` calls. See `commands.serve`."""

from commands.serve import main

if __name__ == "__main__":
    main()
