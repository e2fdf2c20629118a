#!/bin/bash
# 81-debian-13 - t/80-debian-12 on Debian 13.
suite=trixie
. "$(dirname "$0")/80-debian-12.sh"
