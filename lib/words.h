/*
 * words - a configuration file as lines of words. Used by policy.c, keyline.c,
 * receiver/peers.c, receiver/relaykeys.c and receiver/promise.c.
 *
 * Lines end in "\n", the last one need not; "#" starts a comment, anywhere; blanks and tabs
 * stand between words. A control character is a fault, in a comment too. Faults name file, line
 * and word.
 */
#ifndef BLACKPONY_WORDS_H
#define BLACKPONY_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define WORDS_REASON_MAX 512 /* a path is cut to fit */

struct word {
	const char *p;
	size_t n; /* 0: no more words in this line */
};

/* A reader of a text that outlives it. */
struct words {
	const char *path;
	char *why; /* WORDS_REASON_MAX */
	unsigned line;
	const char *at, *line_end; /* what is left of the line, without its comment */
	const char *next, *end;    /* what is left of the text */
};

enum words_result { WORDS_LINE, WORDS_END, WORDS_FAULT };

void words_start(struct words *w, const char *path, const char *text, size_t n, char *why);
/* Goes on to the next line that has a word, and takes that one. */
enum words_result words_line(struct words *w, struct word *first);
struct word words_next(struct words *w);

bool words_is(const struct word *word, const char *text);
bool words_begins(const struct word *word, const char *text);

/* Writes "path:7: 'word' what is wrong with it" into why, all of it printable but for the path;
 * before the first line there is no number. False for its callers' sake. */
bool words_fault(struct words *w, const struct word *word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
