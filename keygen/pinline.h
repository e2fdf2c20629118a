/*
 * pinline - a remembered key as a line of text, and a remembered host as JSON. Pure but for the
 * stream it prints to. Called by keygen/pinctl.c.
 *
 *   domain host SHA256:... pinned|announced|former [first=T] [last=T] [sessions=N]
 *       [max-age=SECONDS] [committed=T]
 *
 * T is a moment in UTC, 2026-11-21T20:15:00Z. "pinned" is the key that the host showed last and
 * stands first; "announced" one that it said it would show; "former" any other.
 */
#ifndef KEYGEN_PINLINE_H
#define KEYGEN_PINLINE_H

#include <stdio.h>

#include "lib/pins.h"
#include "lib/words.h"

#define PINLINE_MAX 1024 /* octets in a line, its end and a NUL included */
#define PINLINE_REASON_MAX WORDS_REASON_MAX

struct pinline {
	char domain[PINS_NAME_MAX], mx[PINS_NAME_MAX];
	struct pins_key key;
};

enum pinline_result { PINLINE_EMPTY, PINLINE_KEY, PINLINE_FAULT };

void pinline_print(
    FILE *out, const char *domain, const char *mx, const struct pins_host *host, uint32_t i);
void pinline_print_json(
    FILE *out, const char *domain, const char *mx, const struct pins_host *host);

/* Reads one line of a file. A fault: why names file, line and word. */
enum pinline_result pinline_read(struct pinline *line, const char *file, unsigned number,
    const char *text, char why[PINLINE_REASON_MAX]);

#endif
