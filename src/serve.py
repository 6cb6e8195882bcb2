"""The command that runs the service: `python src/serve.py`. `./entrypoint.sh` runs it. See `commands.serve`."""

from commands.serve import main

if __name__ == "__main__":
    main()
