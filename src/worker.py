"""The command that runs the work in the background: `./entrypoint.sh worker`. See `commands.worker`."""

from commands.worker import main

if __name__ == "__main__":
    main()
