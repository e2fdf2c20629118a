"""kinds.py - which kinds of fault a run has. Used by meddler.py and saboteur.py.

A kind is FAULT@PLACE: kill@mailer, flip@body. CHAOS_FAULTS has the kinds wanted, with commas between them; a word without
@ is all kinds of this fault, and * and ? stand for what they do in the shell. Without it: all.
"""
import fnmatch
import os
import sys


def wanted(kinds):
    """Of these kinds. "--kinds" as first argument prints all, and ends."""
    if sys.argv[1:2] == ["--kinds"]:
        print("\n".join(kinds))
        sys.exit(0)
    words = [word if "@" in word else word + "@*" for word in os.environ.get("CHAOS_FAULTS", "").split(",") if word]
    return [kind for kind in kinds if not words or any(fnmatch.fnmatchcase(kind, word) for word in words)]
