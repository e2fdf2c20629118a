"""options.py TREE PROGRAM OPTION... - prints those options that no test gives to the program.

Called by t/92-pages.sh. What counts is an option behind a word that stands for the program, in one command
of a shell script in t/ or t/lib/. Such words are the program's name, variables that hold its path, and
functions that hand their arguments on to it.
"""
import glob
import re
import sys


def commands(path):
    """The lines of a script: no comments, continued ones joined."""
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    for line in text.split("\n"):
        if not line.lstrip().startswith("#"):
            yield line


def stand_ins(lines, program):
    """An expression for the words that stand for the program in this script."""
    words = {rf"(?:blackpony-)?{program}\b"}
    words |= {rf"\$\{{?{name}\b" for line in lines
              for name in re.findall(rf"(\w+)=\S*blackpony-{program}['\"]?(?:\s|$)", line)}
    while True:
        found, function = set(words), None
        for line in lines:
            if begin := re.match(r"(\w+)\(\) [{(]", line):
                function = begin[1]
            if function and "@" in line and re.search(rf"({'|'.join(found)})[^|;]*\"?\$\{{?@", line):
                found.add(rf"\b{function}\b")
            if function and re.search(r"^[})]|[^$]\{.*[ \"][})]$", line):
                function = None
        if found == words:
            return "|".join(words)
        words = found


def given(line, words, options):
    """Those options that stand behind such a word, up to the end of that command."""
    for said in (r"'[^'\s][^']*'", r'"[^"$\s](?:[^"$]|\$(?!\())*"'):  # what is said of a test, say
        line = re.sub(said, "''", line)
    for use in re.finditer(rf"(?:^|[^\w-])(?:{words})[^\s|;&()]*((?:\s+[^\s|;&()]+)*)", line):
        for word in use[1].split():
            word = word.strip("\"'`")
            letters = {"-" + letter for letter in word[1:]}
            if word == "--":
                break
            if word in options:
                yield word
            elif word.startswith("-") and letters <= options:
                yield from letters


def main(tree, program, options):
    missing = set(options)
    for path in glob.glob(f"{tree}/t/*.sh") + glob.glob(f"{tree}/t/lib/*.sh"):
        lines = list(commands(path))
        words = stand_ins(lines, program)
        for line in lines:
            missing -= set(given(line, words, set(options)))
    print("\n".join(sorted(missing)))


main(sys.argv[1], sys.argv[2], sys.argv[3:])
