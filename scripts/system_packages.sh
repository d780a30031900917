#!/usr/bin/env bash
# PostgreSQL for the store's tests, Chromium for the connection form, Redis for Celery: from Debian's packages, as root;
# elsewhere it says what is missing, and the tests that need it are skipped with that reason.
set -euo pipefail
missing=()
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || missing+=(postgresql)
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium fonts-dejavu-core)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
command -v redis-server >/dev/null || missing+=(redis-server)
[ ${#missing[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get -qq update
  # Without a runlevel, Debian does not start the servers that come with PostgreSQL and Redis.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "Missing, so that some tests will be skipped: ${missing[*]}. Only root can install them."
fi
