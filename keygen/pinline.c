/*
 * pinline - see pinline.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/json.h"
#include "lib/key.h"
#include "pinline.h"

#define MOMENT "%Y-%m-%dT%H:%M:%SZ"
#define MOMENT_MAX 32
#define SECONDS_MAX (1LL << 40) /* later than any clock: 35,000 years */

static const char *
moment_text(int64_t when, char text[MOMENT_MAX])
{
	const time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(text, MOMENT_MAX, MOMENT, &tm) == 0)
		(void)strlcpy(text, "?", MOMENT_MAX);
	return text;
}

static const char *
state_of(const struct pins_host *host, uint32_t i)
{
	if (i == 0)
		return "pinned";
	return host->key[i].announced ? "announced" : "former";
}

static void
print_moment(FILE *out, const char *name, int64_t when)
{
	char text[MOMENT_MAX];

	if (when != 0)
		(void)fprintf(out, " %s=%s", name, moment_text(when, text));
}

void
pinline_print(
    FILE *out, const char *domain, const char *mx, const struct pins_host *host, uint32_t i)
{
	const struct pins_key *key = &host->key[i];
	char fingerprint[KEY_FINGERPRINT_MAX];

	key_fingerprint_write(key->fingerprint, fingerprint);
	(void)fprintf(out, "%s %s %s %s", domain, mx, fingerprint, state_of(host, i));
	print_moment(out, "first", key->first_seen);
	print_moment(out, "last", key->last_seen);
	if (key->count > 0)
		(void)fprintf(out, " sessions=%" PRIu32, key->count);
	if (key->max_age > 0)
		(void)fprintf(out, " max-age=%" PRIu32, key->max_age);
	print_moment(out, "committed", key->committed_until);
	(void)fputc('\n', out);
}

static void
print_json_moment(FILE *out, const char *name, int64_t when)
{
	char text[MOMENT_MAX];

	if (when == 0)
		(void)fprintf(out, ", \"%s\": null", name);
	else
		(void)fprintf(out, ", \"%s\": \"%s\"", name, moment_text(when, text));
}

void
pinline_print_json(FILE *out, const char *domain, const char *mx, const struct pins_host *host)
{
	char fingerprint[KEY_FINGERPRINT_MAX];
	uint32_t i;

	(void)fputs("  {\"domain\": ", out);
	json_text(out, domain);
	(void)fputs(", \"host\": ", out);
	json_text(out, mx);
	print_json_moment(out, "last_upgraded", host->last_upgraded);
	(void)fputs(", \"keys\": [", out);
	for (i = 0; i < host->keys; i++) {
		const struct pins_key *key = &host->key[i];

		key_fingerprint_write(key->fingerprint, fingerprint);
		(void)fprintf(out, "%s\n    {\"fingerprint\": \"%s\", \"state\": \"%s\"",
		    i > 0 ? "," : "", fingerprint, state_of(host, i));
		print_json_moment(out, "first_seen", key->first_seen);
		print_json_moment(out, "last_seen", key->last_seen);
		(void)fprintf(out, ", \"sessions\": %" PRIu32 ", \"max_age\": %" PRIu32,
		    key->count, key->max_age);
		print_json_moment(out, "committed_until", key->committed_until);
		(void)fputc('}', out);
	}
	(void)fputs("]}", out);
}

static bool
take_name(struct words *w, const struct word *word, char name[PINS_NAME_MAX])
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-_.:[]";
	size_t i;

	if (word->n == 0 || word->n >= PINS_NAME_MAX)
		return words_fault(w, word, "is no host name");
	for (i = 0; i < word->n; i++)
		if (strchr(good, word->p[i]) == NULL)
			return words_fault(w, word, "is no host name");
	memcpy(name, word->p, word->n);
	name[word->n] = '\0';
	return true;
}

static bool
take_moment(const char *text, int64_t *when)
{
	struct tm tm = {.tm_year = 0};
	const char *end = strptime(text, MOMENT, &tm);

	if (end == NULL || *end != '\0')
		return false;
	*when = (int64_t)timegm(&tm);
	return *when > 0 && *when < SECONDS_MAX;
}

static bool
take_number(const char *text, uint32_t *number)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || n > UINT32_MAX)
		return false;
	*number = (uint32_t)n;
	return true;
}

/* "name=value", for one of the names that pinline_print() knows. */
static bool
take_field(struct words *w, const struct word *word, struct pins_key *key)
{
	const struct {
		const char *name;
		int64_t *moment;
		uint32_t *number;
	} fields[] = {
	    {"first=", &key->first_seen, NULL},
	    {"last=", &key->last_seen, NULL},
	    {"committed=", &key->committed_until, NULL},
	    {"sessions=", NULL, &key->count},
	    {"max-age=", NULL, &key->max_age},
	};
	char value[MOMENT_MAX];
	size_t i, n;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		n = strlen(fields[i].name);
		if (!words_begins(word, fields[i].name))
			continue;
		if (word->n - n >= sizeof(value))
			break;
		memcpy(value, word->p + n, word->n - n);
		value[word->n - n] = '\0';
		if (fields[i].moment != NULL ? take_moment(value, fields[i].moment)
					     : take_number(value, fields[i].number))
			return true;
		break;
	}
	return words_fault(w, word, "is nothing that is kept of a key");
}

/* The rest of a line, behind domain and host. */
static bool
take_key(struct words *w, struct pins_key *key)
{
	struct word word = words_next(w);

	if (!key_fingerprint_read(key->fingerprint, word.p, word.n))
		return words_fault(w, &word, "is no fingerprint, SHA256:...");
	word = words_next(w);
	key->announced = words_is(&word, "announced");
	if (!key->announced && !words_is(&word, "pinned") && !words_is(&word, "former"))
		return words_fault(w, &word, "is none of pinned, announced, former");
	while ((word = words_next(w)).n > 0)
		if (!take_field(w, &word, key))
			return false;
	return true;
}

enum pinline_result
pinline_read(struct pinline *line, const char *file, unsigned number, const char *text,
    char why[PINLINE_REASON_MAX])
{
	const size_t n = strlen(text);
	struct word word;
	struct words w;

	memset(line, 0, sizeof(*line));
	words_start(&w, file, text, n, why);
	w.line = number - 1;
	switch (words_line(&w, &word)) {
	case WORDS_END:
		return PINLINE_EMPTY;
	case WORDS_FAULT:
		return PINLINE_FAULT;
	case WORDS_LINE:
		break;
	}
	if (!take_name(&w, &word, line->domain))
		return PINLINE_FAULT;
	word = words_next(&w);
	if (!take_name(&w, &word, line->mx) || !take_key(&w, &line->key))
		return PINLINE_FAULT;
	return PINLINE_KEY;
}
