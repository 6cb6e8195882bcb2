#!/usr/bin/env bash
# The one door to the project, on any machine with bash and Python 3.11 or newer:
#
#   ./entrypoint.sh                serve (HOST, PORT, WORKERS and the rest: .env.example)
#   ./entrypoint.sh test [ARGS]    run the test suite, on up to four processors; with ARGS, what they say, by pytest
#   ./entrypoint.sh python [ARGS]  run the project's Python, installing what is missing first
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

fail() {
  echo "entrypoint.sh: $*" >&2
  exit 1
}

# The first Python that is new enough and able to make a virtual environment.
find_python() {
  local candidate found=""
  for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11 python; do
    command -v "$candidate" >/dev/null || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    found=$candidate
    "$candidate" -c 'import venv, ensurepip' 2>/dev/null || continue
    echo "$candidate"
    return
  done
  [ -z "$found" ] || fail "$found cannot make virtual environments; install its venv module (Debian and Ubuntu: apt-get install python3-venv)"
  fail "Python 3.11 or newer is needed and none was found; install one, or name it: PYTHON=/path/to/python ./entrypoint.sh"
}

# Make .venv hold exactly what Pipfile.lock pins. A copy of the lock, written last, marks a finished install.
install() {
  if [ -f .venv/Pipfile.lock ] && [ "$(<.venv/Pipfile.lock)" = "$(<Pipfile.lock)" ] && .venv/bin/python -c '' 2>/dev/null; then
    return
  fi
  local python
  python=$(find_python)
  # Of two that start at once, one installs and the other waits, where the machine has flock.
  exec 9>.venv.lock
  if command -v flock >/dev/null && ! flock -n 9; then
    flock 9
    exec 9>&-
    install
    return
  fi
  echo "Installing what Pipfile.lock pins into .venv ..." >&2
  "$python" -m venv --clear .venv || fail "$python could not make the virtual environment .venv"
  "$python" scripts/requirements.py default develop >.venv/requirements.txt
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    -r .venv/requirements.txt >&2 || fail "pip could not install the packages above; check this machine's pip configuration"
  cp Pipfile.lock .venv/Pipfile.lock
  exec 9>&-
}

case "${1:-serve}" in
  serve)
    install
    exec .venv/bin/python src/serve.py
    ;;
  test)
    install
    # Each process has servers of its own; what is in one file shares them.
    [ $# -gt 1 ] || set -- test -n auto --maxprocesses 4 --dist loadfile
    exec .venv/bin/python -m pytest "${@:2}"
    ;;
  python)
    install
    exec .venv/bin/python "${@:2}"
    ;;
  *)
    fail "unknown command '$1'; use ./entrypoint.sh, ./entrypoint.sh test or ./entrypoint.sh python"
    ;;
esac
