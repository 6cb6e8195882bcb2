#!/usr/bin/env bash
# Runs the project on any machine with bash and Python 3.11 or newer:
#
#   ./entrypoint.sh                run the service (settings: .env.example)
#   ./entrypoint.sh worker         run the work in the background only, for services with WORK=off
#   ./entrypoint.sh test [ARGS]    run the test suite with up to four processes; with ARGS, run pytest with them
#   ./entrypoint.sh python [ARGS]  run the project's Python
#
# The project's Python is that of the active virtual environment, such as pipenv's, if it has what Pipfile.lock pins.
# Otherwise it is that of .venv, into which the packages are installed first.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

fail() {
  echo "entrypoint.sh: $*" >&2
  exit 1
}

# Print the first Python that is new enough and can create a virtual environment.
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
  [ -z "$found" ] || fail "$found cannot create virtual environments; install its venv module (Debian and Ubuntu: apt-get install python3-venv)"
  fail "Python 3.11 or newer is needed, but none was found; install it, or name it: PYTHON=/path/to/python ./entrypoint.sh"
}

python=.venv/bin/python

# Choose the Python that runs a command which needs the packages of these categories of Pipfile.lock.
choose_python() {
  local active=${VIRTUAL_ENV:-}/bin/python missing
  if [ -n "${VIRTUAL_ENV:-}" ] && [ -x "$active" ]; then
    if missing=$("$active" scripts/environment.py "$@") && [ -z "$missing" ]; then
      python=$active
      return
    fi
    [ -z "${PIPENV_ACTIVE:-}" ] || echo "entrypoint.sh: pipenv's environment lacks ${missing:-a working Python};" \
      "using .venv (to complete it: pipenv install --ignore-pipfile --dev)" >&2
  fi
  install
}

# Install exactly what Pipfile.lock pins into .venv. A copy of Pipfile.lock, written last, marks a finished install.
install() {
  if [ -f .venv/Pipfile.lock ] && [ "$(<.venv/Pipfile.lock)" = "$(<Pipfile.lock)" ] && .venv/bin/python -c '' 2>/dev/null; then
    return
  fi
  local base
  base=$(find_python)
  # If two start at once, one installs and the other waits (on machines with flock).
  exec 9>.venv.lock
  if command -v flock >/dev/null && ! flock -n 9; then
    flock 9
    exec 9>&-
    install
    return
  fi
  echo "Installing the packages of Pipfile.lock into .venv ..." >&2 || true # the output may be full
  "$base" -m venv --clear .venv || fail "$base cannot create the virtual environment .venv"
  "$base" scripts/requirements.py default develop >.venv/requirements.txt
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    -r .venv/requirements.txt >&2 || fail "pip cannot install the packages above; check the pip configuration of this machine"
  cp Pipfile.lock .venv/Pipfile.lock
  exec 9>&-
}

case "${1:-serve}" in
  serve)
    # With both servers configured, no embedded server is needed, and no other development package either.
    if [ -n "${DATABASE_DSN:-}" ] && [ -n "${REDIS_HOST:-}" ]; then
      choose_python default
    else
      choose_python default develop
    fi
    exec "$python" src/serve.py
    ;;
  worker)
    choose_python default
    exec "$python" src/worker.py
    ;;
  test)
    choose_python default develop
    # Each process starts its own servers; the tests of a file run in one process, the long files first.
    [ $# -gt 1 ] || set -- test -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
    exec "$python" -m pytest "${@:2}"
    ;;
  python)
    choose_python default develop
    exec "$python" "${@:2}"
    ;;
  *)
    fail "unknown command '$1'; use ./entrypoint.sh, ./entrypoint.sh worker, ./entrypoint.sh test or ./entrypoint.sh python"
    ;;
esac
