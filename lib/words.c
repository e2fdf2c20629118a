/*
 * words - a configuration file as lines of words. See words.h.
 */
#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 64 /* octets of a bad word that are shown */

bool
words_fault(struct words *w, const struct word *word, const char *format, ...)
{
	char shown[SHOWN_MAX + 1];
	size_t i;
	va_list ap;
	int n;

	for (i = 0; i < word->n && i < SHOWN_MAX; i++)
		shown[i] = (char)(word->p[i] >= ' ' && word->p[i] <= '~' ? word->p[i] : '?');
	shown[i] = '\0';
	if (w->line == 0)
		n = snprintf(w->why, WORDS_REASON_MAX, "%.255s '%s%s' ", w->path, shown,
		    word->n > SHOWN_MAX ? "..." : "");
	else
		n = snprintf(w->why, WORDS_REASON_MAX, "%.255s:%u: '%s%s' ", w->path, w->line,
		    shown, word->n > SHOWN_MAX ? "..." : "");
	if (n < 0 || n >= WORDS_REASON_MAX)
		return false;
	va_start(ap, format);
	vsnprintf(w->why + n, WORDS_REASON_MAX - (size_t)n, format, ap);
	va_end(ap);
	return false;
}

bool
words_is(const struct word *word, const char *text)
{
	return word->n == strlen(text) && memcmp(word->p, text, word->n) == 0;
}

bool
words_begins(const struct word *word, const char *text)
{
	const size_t n = strlen(text);

	return word->n >= n && memcmp(word->p, text, n) == 0;
}

/* Neither a NUL nor what a terminal would obey. */
static bool
is_text(struct words *w)
{
	const struct word line = {w->at, (size_t)(w->line_end - w->at)};

	for (const char *p = w->at; p < w->line_end; p++) {
		const unsigned char c = (unsigned char)*p;

		if (c == '\r' && p + 1 == w->line_end)
			return words_fault(w, &line, "ends as lines do in DOS; remove the \\r");
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return words_fault(
			    w, &line, "has the control character 0x%02x in it", c);
	}
	return true;
}

void
words_start(struct words *w, const char *path, const char *text, size_t n, char *why)
{
	why[0] = '\0';
	*w = (struct words){.path = path, .why = why, .next = text, .end = text + n};
}

enum words_result
words_line(struct words *w, struct word *first)
{
	const char *stop;

	while (w->next < w->end) {
		w->line++;
		w->at = w->next;
		stop = memchr(w->at, '\n', (size_t)(w->end - w->at));
		w->line_end = stop != NULL ? stop : w->end;
		w->next = stop != NULL ? stop + 1 : w->end;
		if (!is_text(w))
			return WORDS_FAULT;
		stop = memchr(w->at, '#', (size_t)(w->line_end - w->at));
		if (stop != NULL)
			w->line_end = stop;
		*first = words_next(w);
		if (first->n > 0)
			return WORDS_LINE;
	}
	return WORDS_END;
}

struct word
words_next(struct words *w)
{
	struct word word;

	while (w->at < w->line_end && (*w->at == ' ' || *w->at == '\t'))
		w->at++;
	word.p = w->at;
	while (w->at < w->line_end && *w->at != ' ' && *w->at != '\t')
		w->at++;
	word.n = (size_t)(w->at - word.p);
	return word;
}
