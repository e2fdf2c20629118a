/*
 * pinctl - see pinctl.h.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "lib/key.h"
#include "lib/owner.h"
#include "lib/pins.h"
#include "pinctl.h"
#include "pinline.h"

static struct pins *
open_store(const char *directory)
{
	char why[PINS_REASON_MAX];
	struct pins *pins;

	if (!owner_become(directory))
		err(errno == ENOENT ? EX_NOINPUT : EX_NOPERM, "%s", directory);
	pins = pins_open(directory, why);
	if (pins == NULL)
		errx(EX_NOPERM, "%s", why);
	return pins;
}

/* A walk over the records of one host, or of all. */
struct walk {
	struct pins *pins;
	const char *host; /* NULL: all */
	long found;
	bool quiet;
};

static bool
is_wanted(const struct walk *w, const char *domain, const char *mx)
{
	return w->host == NULL || strcasecmp(w->host, domain) == 0 ||
	       strcasecmp(w->host, mx) == 0;
}

static bool
show_text(const char *domain, const char *mx, const struct pins_host *host, void *context)
{
	struct walk *w = context;
	uint32_t i;

	if (!is_wanted(w, domain, mx))
		return true;
	w->found++;
	for (i = 0; i < host->keys; i++)
		pinline_print(stdout, domain, mx, host, i);
	return !ferror(stdout);
}

static bool
show_json(const char *domain, const char *mx, const struct pins_host *host, void *context)
{
	struct walk *w = context;

	if (!is_wanted(w, domain, mx))
		return true;
	(void)fputs(w->found++ > 0 ? ",\n" : "\n", stdout);
	pinline_print_json(stdout, domain, mx, host);
	return !ferror(stdout);
}

int
pinctl_show(const char *directory, const char *host, bool json)
{
	struct walk w = {.pins = open_store(directory), .host = host};

	if (json) {
		(void)fputs("{\"pins\": [", stdout);
		pins_each(w.pins, show_json, &w);
		(void)fputs("\n]}\n", stdout);
	} else {
		pins_each(w.pins, show_text, &w);
	}
	pins_close(w.pins);
	if (w.found == 0 && host != NULL)
		warnx("%s: nothing is known of such a host", host);
	return w.found > 0 || host == NULL ? EX_OK : 1;
}

static bool
remove_one(const char *domain, const char *mx, const struct pins_host *host, void *context)
{
	struct walk *w = context;

	(void)host;
	if (!is_wanted(w, domain, mx) || !pins_remove(w->pins, domain, mx))
		return true;
	w->found++;
	if (!w->quiet)
		printf("%s %s forgotten\n", domain, mx);
	return true;
}

int
pinctl_remove(const char *directory, const char *host, bool quiet)
{
	struct walk w = {.pins = open_store(directory), .host = host, .quiet = quiet};

	pins_each(w.pins, remove_one, &w);
	pins_close(w.pins);
	if (w.found == 0)
		warnx("%s: nothing is known of such a host", host);
	return w.found > 0 ? EX_OK : 1;
}

/* One record on its way in. */
struct record {
	char domain[PINS_NAME_MAX], mx[PINS_NAME_MAX];
	struct pins_host host;
};

struct import {
	struct pins *pins;
	long taken, known;
};

static bool
put_new(struct pins_host *host, void *context)
{
	const struct record *r = context;

	if (host->keys > 0)
		return false;
	*host = r->host;
	return true;
}

static void
store_record(struct import *in, struct record *r)
{
	char why[PINS_REASON_MAX];
	struct pins_host before;

	if (r->host.keys == 0)
		return;
	if (pins_get(in->pins, r->domain, r->mx, &before) && before.keys > 0) {
		in->known++;
	} else {
		if (!pins_update(in->pins, r->domain, r->mx, put_new, r, why))
			errx(EX_CANTCREAT, "%s %s: %s", r->domain, r->mx, why);
		in->taken++;
	}
	memset(r, 0, sizeof(*r));
}

/* Adds the key of a line to its record; a line of another record ends the one before. */
static void
add_line(struct import *in, struct record *r, const struct pinline *line, const char *file,
    unsigned number)
{
	struct pins_host *host = &r->host;
	uint32_t i;

	if (host->keys > 0 &&
	    (strcmp(r->domain, line->domain) != 0 || strcmp(r->mx, line->mx) != 0))
		store_record(in, r);
	for (i = 0; i < host->keys; i++)
		if (memcmp(host->key[i].fingerprint, line->key.fingerprint, KEY_HASH) == 0)
			errx(EX_DATAERR, "%s:%u: that key was there already", file, number);
	if (host->keys == PINS_KEYS)
		errx(EX_DATAERR, "%s:%u: more than %d keys of one host", file, number,
		    PINS_KEYS);
	(void)strlcpy(r->domain, line->domain, sizeof(r->domain));
	(void)strlcpy(r->mx, line->mx, sizeof(r->mx));
	if (line->key.last_seen > host->last_upgraded)
		host->last_upgraded = line->key.last_seen;
	host->key[host->keys++] = line->key;
}

int
pinctl_import(const char *directory, const char *file, bool quiet)
{
	const bool is_stdin = strcmp(file, "-") == 0;
	FILE *from = is_stdin ? stdin : fopen(file, "re");
	char text[PINLINE_MAX], why[PINLINE_REASON_MAX];
	struct import in = {.pins = NULL};
	struct record r = {.host.keys = 0};
	struct pinline line;
	unsigned number = 0;

	if (from == NULL)
		err(EX_NOINPUT, "%s", file);
	in.pins = open_store(directory);
	while (fgets(text, sizeof(text), from) != NULL) {
		number++;
		if (strchr(text, '\n') == NULL && !feof(from))
			errx(
			    EX_DATAERR, "%s:%u: too long a line, or a NUL in it", file, number);
		switch (pinline_read(&line, file, number, text, why)) {
		case PINLINE_EMPTY:
			break;
		case PINLINE_KEY:
			add_line(&in, &r, &line, file, number);
			break;
		case PINLINE_FAULT:
			errx(EX_DATAERR, "%s", why);
		}
	}
	if (ferror(from))
		err(EX_IOERR, "%s", file);
	store_record(&in, &r);
	pins_close(in.pins);
	if (!is_stdin)
		(void)fclose(from);
	if (!quiet)
		printf("%ld hosts taken in, %ld known already and left as they are\n", in.taken,
		    in.known);
	return EX_OK;
}
