#!/bin/sh
# Makes configure in a fresh clone (Debian: autoconf automake pkg-config).
set -e
cd "$(dirname "$0")"
exec autoreconf --install --warnings=all
