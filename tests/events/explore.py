"""Print the results of all cases of the model of the publisher."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    # Replaces this folder, which Python inserts when a file is run by its path.
    sys.path[:1] = [str(Path(__file__).resolve().parents[1])]
    import_module("events.publisher_cases").main()
