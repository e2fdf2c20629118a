#!/bin/bash
# 85b-chaos - 85-chaos without kept sessions.
keep=0
. "${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}/t/85-chaos.sh"
