#!/bin/bash
# 8b-load-large - t/88-load with more of everything: some minutes. Needs root (t/lib). Runs with ./check --all.
LOAD_MODE=-l exec "${BASH:-bash}" "${0%/*}/88-load.sh"
