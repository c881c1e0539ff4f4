#!/usr/bin/env bash
# Installs what the tests need: as root on Debian, missing packages; elsewhere
# it says what to install and which tests are left out until then. With
# CI=true nothing may be missing.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A needed_for=(
  [postgresql]="store tests on PostgreSQL"
  [chromium]="browser journeys"
  [fonts-noto-cjk]="screenshots with Chinese text"
  [npm]="accessibility checks, the linter of the API's documents, a reader of calendars"
  [python3-icalendar]="another reader of calendars"
)
present() {
  case $1 in
    postgresql) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ;;
    chromium) command -v chromium >/dev/null ;;
    fonts-noto-cjk) compgen -G '/usr/share/fonts/*/noto/NotoSansCJK*' >/dev/null ;;
    npm) command -v npm >/dev/null ;;
    python3-icalendar) /usr/bin/python3 -c 'import icalendar' 2>/dev/null ;;
  esac
}

missing=()
for package in postgresql chromium fonts-noto-cjk npm python3-icalendar; do present "$package" || missing+=("$package"); done

if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Debian packages for the tests: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  missing=()
fi
for package in ${missing[@]+"${missing[@]}"}; do
  echo "MISSING: $package. LEFT OUT until it is installed: ${needed_for[$package]}." >&2
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "On Debian: sudo apt-get install ${missing[*]}" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
fi

# test/package.json, at the versions of the lock file.
if present npm && ! cmp -s test/package-lock.json test/node_modules/.installed-lock.json; then
  echo "Installing npm packages for the tests"
  npm ci --prefix test --no-audit --no-fund --silent
  cp test/package-lock.json test/node_modules/.installed-lock.json
fi
