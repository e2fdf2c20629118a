/*
 * probe - the walk over the hosts of a destination, and the judgement on each, by the rules
 * that mail goes by (mailer/trust.h). See probe.h.
 */
#include "mailer/probe.h"
#include "lib/clock.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOKUP_MS 60000

/* For trust: what was asked of DNS already. */
static void
tell_dns(void *context, const char *host, struct trust_dns *dns)
{
	const struct probe_host *h = context;
	uint32_t i;

	(void)host;
	dns->temporary = h->dns.outcome == RESOLVE_KEYS_TEMPORARY;
	dns->known = h->dns.outcome == RESOLVE_KEYS_AUTHENTIC;
	for (i = 0; dns->known && i < h->dns.count && i < PINS_KEYS; i++)
		memcpy(dns->key[dns->keys++], h->dns.key[i], RESOLVE_KEY_HASH);
}

/* Would mail go there, and how? */
static enum probe_end
judge(struct trust *t, const struct hop *hop, struct probe_host *h)
{
	const struct probe_session *s = &h->session;
	const struct suite *suite = suite_find(s->suite, strlen(s->suite));
	struct trust_terms terms;
	bool enforce_tls;

	if (!s->greeted) {
		(void)snprintf(h->why, sizeof(h->why), "%.300s", s->fault);
		return PROBE_NOT_NOW;
	}
	if (!trust_host(t, hop, &terms, h->why))
		return PROBE_NOT_NOW;
	if (s->has_peer && terms.offer)
		return trust_peer(
			   t, hop, s->key, suite != NULL && suite->psk3, &s->commitment, h->why)
			   ? PROBE_ENCRYPTED
			   : PROBE_NOT_NOW;
	return trust_clear(t, hop, s->starttls, &enforce_tls, h->why) ? PROBE_OTHERWISE
								      : PROBE_NOT_NOW;
}

static void
look_at(const struct probe *p, struct probe_host *h)
{
	struct trust t = {.policy_file = p->policy_file,
	    .rot = p->rot > 0,
	    .look_only = true,
	    .now = time(NULL),
	    .dns = tell_dns,
	    .context = h};
	struct hop hop = {.fd = -1, .mx_authentic = h->at->mx_authentic};
	char why[PINS_REASON_MAX];

	(void)strlcpy(hop.host, h->at->host, sizeof(hop.host));
	(void)strlcpy(hop.address, h->address, sizeof(hop.address));
	(void)strlcpy(hop.domain, h->domain, sizeof(hop.domain));
	probe_show_progress(h->at->host, h->address);
	if (!probe_session(p, &h->at->address, h->address, &h->session))
		(void)strlcpy(h->session.fault, "no process for it", sizeof(h->session.fault));
	(void)resolve_keys(p->resolver, h->at->host, clock_ms() + LOOKUP_MS, -1, &h->dns);
	/* Open while no child is: it would have the map of the locks (lib/pins.h). */
	if (p->pins_directory != NULL)
		t.pins = pins_open(p->pins_directory, why);
	(void)pins_get(t.pins, h->domain, h->at->host, &h->known);
	h->end = judge(&t, &hop, h);
	pins_close(t.pins);
	h->policy = t.policy;
	h->trust = t.verdict != NULL ? t.verdict : "";
	probe_show_progress(NULL, NULL);
}

/* The words of a bounce: a route looks the destination up once more, and goes nowhere. */
static void
tell_fault(const struct probe *p, const struct destination *d, const char *domain)
{
	struct destination_list one = {.item[0] = *d, .count = 1};
	struct route *route = route_new(&one, &p->route, p->resolver);
	struct verdict v;
	struct hop hop;

	if (route != NULL && route_next(route, -1, &hop, &v) == ROUTE_EXHAUSTED)
		probe_show_fault(p, domain, v.text);
	route_free(route);
}

static bool
find_hosts(const struct probe *p, const struct destination *d, struct resolve_result *r)
{
	memset(r, 0, sizeof(*r));
	if (d->kind != DESTINATION_ADDRESS)
		return resolve_ask(p->resolver, d->name, d->kind == DESTINATION_DOMAIN,
			   clock_ms() + LOOKUP_MS, -1, r) &&
		       r->outcome == RESOLVE_FOUND;
	r->count = 1;
	(void)strlcpy(r->address[0].host, d->name, sizeof(r->address[0].host));
	r->address[0].address = d->address;
	r->address[0].mx_authentic = true;
	return true;
}

static void
write_address(const struct sockaddr_storage *from, char to[INET6_ADDRSTRLEN])
{
	if (from->ss_family == AF_INET)
		(void)inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, to,
		    INET6_ADDRSTRLEN);
	else
		(void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)from)->sin6_addr, to,
		    INET6_ADDRSTRLEN);
}

/* Mail goes to the first host that may have it. */
static void
probe_destination(const struct probe *p, const struct destination *d, struct probe_host *best)
{
	static struct resolve_result r[DESTINATION_MAX];
	static char domains[DESTINATION_MAX][DESTINATION_NAME];
	const size_t number = (size_t)(d - p->list.item);
	char *domain = domains[number];
	struct probe_host h;
	size_t n, i;

	n = strlcpy(domain, d->name, sizeof(domains[number]));
	if (n > 0 && domain[n - 1] == '.')
		domain[n - 1] = '\0';
	if (!find_hosts(p, d, &r[number])) {
		tell_fault(p, d, domain);
		return;
	}
	for (i = 0; i < r[number].count; i++) {
		memset(&h, 0, sizeof(h));
		h.domain = domain;
		h.at = &r[number].address[i];
		write_address(&h.at->address, h.address);
		look_at(p, &h);
		probe_show_host(p, &h);
		if (best->end == PROBE_NOT_NOW && h.end != PROBE_NOT_NOW)
			*best = h;
	}
}

int
probe_run(const struct probe *p)
{
	struct probe_host best = {.end = PROBE_NOT_NOW};
	size_t i;

	probe_show_start(p);
	for (i = 0; i < p->list.count; i++)
		probe_destination(p, &p->list.item[i], &best);
	probe_show_end(p, &best);
	return (int)best.end;
}
