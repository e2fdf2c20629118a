/*
 * limits - see limits.h.
 *
 * Where a limit cannot be kept, mail is taken without it and the log says so: a mail host that
 * refuses everybody for want of a file of its own is what an attacker would want.
 */
#include "receiver/limits.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <syslog.h>
#include <unistd.h>

enum {
	SESSIONS = 100,
	EACH = 10,
	LOAD_PER_CPU = 12, /* sendmail's RefuseLA */
	HEAR_MS = 1000,    /* for a client that spoke too early to hear of it */
	REPLY_MAX = 510,
};

enum kind { KIND_SESSIONS, KIND_LOAD };

struct gate {
	const struct limits *limits;
	int fd;
	const struct sockaddr_storage *client;
	const char *name;
	struct slots slots;
};

/* This process's slot, until it ends. */
static struct slots held = {.file = -1};

void
limits_default(struct limits *l)
{
	*l = (struct limits){.file = BLACKPONY_SLOTS,
	    .sessions = SESSIONS,
	    .each = EACH,
	    .load = LIMITS_LOAD_BY_CPUS};
}

unsigned
limits_load_max(const struct limits *l)
{
	long cpus;

	if (l->load != LIMITS_LOAD_BY_CPUS)
		return l->load;
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	return LOAD_PER_CPU * (unsigned)(cpus > 0 ? cpus : 1);
}

double
limits_load(void)
{
	FILE *f =
	    fopen("/proc/loadavg", "re"); /* a container's own, where getloadavg() is not */
	char line[64], *end;
	double load;

	if (f == NULL)
		return getloadavg(&load, 1) == 1 ? load : -1;
	end = fgets(line, sizeof(line), f);
	(void)fclose(f);
	if (end == NULL)
		return -1;
	load = strtod(line, &end);
	return end != line ? load : -1;
}

static void
log_client(struct log_line *l, const struct gate *g, const char *what)
{
	log_start(l, NULL);
	log_words(l, what);
	log_add_peer(l, "peer", NULL, (const struct sockaddr *)g->client);
}

/* One line (RFC 5321 sections 3.1 and 3.8) and the end. It fits into the empty buffer of a
 * fresh connection. */
static void
tell(const struct gate *g, const char *code, const char *text)
{
	char line[REPLY_MAX + 3];
	int n = snprintf(line, sizeof(line), "%s %.255s %s\r\n", code, g->name, text);

	(void)send(g->fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(g->fd, SHUT_WR);
}

/* Everybody is refused alike, so one line a minute tells it, and of how many. */
static void
log_all(const struct gate *g, enum kind kind, const char *what, const char *key, double value)
{
	unsigned long refused = slots_refusals(&g->slots, kind, clock_ms());
	struct log_line l;

	if (refused == 0)
		return;
	log_client(&l, g, what);
	log_addf(&l, key, "%.*f", kind == KIND_LOAD ? 2 : 0, value);
	log_add_number(&l, "refused", (long long)refused);
	log_send(&l, LOG_WARNING);
}

static bool
is_idle(const struct gate *g)
{
	double load;

	if (g->limits->load == 0)
		return true;
	load = limits_load();
	/* Below what one processor may bear, how many there are need not be read. */
	if ((g->limits->load == LIMITS_LOAD_BY_CPUS && load < LOAD_PER_CPU) ||
	    load < limits_load_max(g->limits))
		return true;
	log_all(g, KIND_LOAD, "load too high", "load", load);
	tell(g, "421 4.3.2", "System too busy, try again later");
	return false;
}

static void
no_limits(struct gate *g, const char *why)
{
	struct log_line l;

	log_client(&l, g, "no limit on sessions");
	log_add(&l, "reason", why);
	log_send(&l, LOG_ERR);
	slots_close(&g->slots);
}

static bool
has_slot(struct gate *g)
{
	const struct limits *limits = g->limits;
	char why[SLOTS_REASON_MAX];
	struct log_line l;

	if (g->slots.file < 0 || (limits->sessions == 0 && limits->each == 0))
		return true;
	switch (slots_take(&g->slots, limits->sessions, limits->each, g->client, why)) {
	case SLOTS_TAKEN:
		return true;
	case SLOTS_FAULT:
		no_limits(g, why);
		return true;
	case SLOTS_ALL:
		log_all(g, KIND_SESSIONS, "too many sessions", "sessions", limits->sessions);
		tell(g, "421 4.3.2", "Too many sessions, try again later");
		return false;
	case SLOTS_ADDRESS:
		log_client(&l, g, "too many sessions of this address");
		log_add_number(&l, "sessions", limits->each);
		log_send(&l, LOG_NOTICE);
		tell(g, "421 4.7.0", "Too many sessions from your address, try again later");
		return false;
	}
	return true;
}

void
limits_let_hear(int fd)
{
	const int64_t end = clock_ms() + HEAR_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left;

	while ((left = end - clock_ms()) > 0 && poll(&p, 1, (int)left) > 0)
		if (recv(fd, NULL, INT32_MAX, MSG_TRUNC | MSG_DONTWAIT) <= 0)
			break;
}

/* Who speaks first is no SMTP client (RFC 5321 section 3.1): a program that blasts a script, a
 * web browser, TLS on the wrong port. */
static bool
is_silent(const struct gate *g)
{
	struct pollfd p = {.fd = g->fd, .events = POLLIN};
	struct log_line l;
	int octets = 0;

	if (g->limits->pause > 0 && !slots_is_local(g->client))
		(void)poll(&p, 1, (int)g->limits->pause);
	if (ioctl(g->fd, FIONREAD, &octets) != 0 || octets <= 0)
		return true;
	log_client(&l, g, "spoke before the greeting");
	log_add_number(&l, "octets", octets);
	log_send(&l, LOG_NOTICE);
	tell(g, "554 5.5.1", "You spoke before the greeting");
	limits_let_hear(g->fd);
	return false;
}

bool
limits_admit(
    const struct limits *l, int fd, const struct sockaddr_storage *client, const char *name)
{
	struct gate g = {.limits = l, .fd = fd, .client = client, .name = name};
	char why[SLOTS_REASON_MAX];

	if (!slots_open(&g.slots, l->file, why))
		no_limits(&g, why);
	if (is_idle(&g) && has_slot(&g) && is_silent(&g)) {
		held = g.slots;
		return true;
	}
	slots_close(&g.slots);
	return false;
}
