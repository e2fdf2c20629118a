/*
 * resolve-show - prints what the name resolution of lib/resolve.c finds, or where the route of
 * mailer/connect.c leads. Called by t/14-resolve.sh, t/1b-dnskeys.sh, and by a person who wants
 * to know.
 *
 *   resolve-show [-46an] [-w own-names-file] [-t seconds] name...
 *       one line "name: outcome culprit", one a found address, in the order to be tried;
 *       -n: no MX; -a: our addresses cut the MX list too
 *   resolve-show -k [-t seconds] host...
 *       the keys of hosts: one line "host: outcome ignored", one a key, in order
 *   resolve-show -c port [-46a] [-b source] [-w file] [-t seconds] destination...
 *       one line a connection, on and on until the verdict
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/key.h"
#include "lib/resolve.h"
#include "mailer/connect.h"

static const char *const outcome[RESOLVE_OUTCOMES] = {
    [RESOLVE_FOUND] = "found",
    [RESOLVE_BAD_NAME] = "bad-name",
    [RESOLVE_UNKNOWN] = "unknown",
    [RESOLVE_NULL_MX] = "null-mx",
    [RESOLVE_UNROUTABLE] = "unroutable",
    [RESOLVE_OURSELVES] = "ourselves",
    [RESOLVE_CNAME_LOOP] = "cname-loop",
    [RESOLVE_TEMPORARY] = "temporary",
};

static void
show_result(const char *name, const struct resolve_result *r)
{
	char text[INET6_ADDRSTRLEN];

	printf("%s: %s%s%s\n", name, outcome[r->outcome], r->count > 0 ? "" : " ",
	    r->count > 0 ? "" : r->culprit);
	for (uint32_t i = 0; i < r->count; i++) {
		const struct resolve_address *a = &r->address[i];
		const void *octets =
		    a->address.ss_family == AF_INET
			? (const void *)&((const struct sockaddr_in *)&a->address)->sin_addr
			: (const void *)&((const struct sockaddr_in6 *)&a->address)->sin6_addr;

		printf("%u %s %s%s\n", a->preference, a->host,
		    inet_ntop(a->address.ss_family, octets, text, sizeof text),
		    a->mx_authentic ? " authentic" : "");
	}
}

static const char *const keys_outcome[RESOLVE_KEYS_OUTCOMES] = {
    [RESOLVE_KEYS_AUTHENTIC] = "authentic",
    [RESOLVE_KEYS_UNAUTHENTIC] = "unauthentic",
    [RESOLVE_KEYS_DENIED] = "denied",
    [RESOLVE_KEYS_NONE] = "none",
    [RESOLVE_KEYS_TEMPORARY] = "temporary",
};

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, RESOLVE_KEY_HASH);
}

static void
show_keys(const char *host, struct resolve_keys *r)
{
	char text[KEY_FINGERPRINT_MAX];

	printf("%s: %s %u\n", host, keys_outcome[r->outcome], r->ignored);
	qsort(r->key, r->count, sizeof r->key[0], compare_keys);
	for (uint32_t i = 0; i < r->count; i++) {
		key_fingerprint_write(r->key[i], text);
		printf("%s\n", text);
	}
}

static void
show_route(const char *text, const struct route_options *options, struct resolver *resolver)
{
	struct destination_list list;
	struct route *walk;
	struct hop hop;
	struct verdict verdict;
	char fault[256];

	if (!destination_parse(&list, text, fault, sizeof fault)) {
		printf("501 5.1.2 %s\n", fault);
		return;
	}
	walk = route_new(&list, options, resolver);
	if (walk == NULL)
		err(1, "route");
	while (route_next(walk, -1, &hop, &verdict) == ROUTE_CONNECTED) {
		printf("%s: connected %s %s %u%s\n", hop.domain, hop.host, hop.address,
		    hop.port, hop.mx_authentic ? " authentic" : "");
		close(hop.fd);
	}
	printf("%d %s %s\n", verdict.code, verdict.enhanced, verdict.text);
	route_free(walk);
}

static void
read_source(struct sockaddr_storage *source, const char *text)
{
	struct destination_list list;
	char fault[256];

	if (!destination_parse(&list, text, fault, sizeof fault))
		errx(1, "%s", fault);
	*source = list.item[0].address;
}

static struct resolve_options resolve;
static struct route_options route;
static const char *own_file;
static bool mx = true, keys;

static void
read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "46aknc:b:w:t:")) != -1) {
		switch (c) {
		case '4':
		case '6':
			resolve.family = route.family = c == '4' ? AF_INET : AF_INET6;
			break;
		case 'a':
			resolve.own_addresses = true;
			break;
		case 'k':
			keys = true;
			break;
		case 'n':
			mx = false;
			break;
		case 'c':
			route.port = (uint16_t)atoi(optarg);
			break;
		case 'b':
			read_source(&route.source, optarg);
			break;
		case 'w':
			own_file = optarg;
			break;
		case 't':
			route.total_seconds = atoi(optarg);
			break;
		default:
			exit(2);
		}
	}
}

static long long
microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int
main(int argc, char **argv)
{
	static struct resolve_result r;
	struct resolve_keys k;
	struct ownnames own;
	struct resolver *resolver;
	char fault[256];
	long long begin = microseconds();

	read_options(argc, argv);
	if (!ownnames_read(&own, own_file, fault, sizeof fault))
		errx(1, "%s", fault);
	resolve.own = &own;
	resolver = resolve_start(&resolve);
	if (resolver == NULL)
		err(1, "resolve_start");
	for (argv += optind; *argv != NULL; argv++) {
		const int seconds = route.total_seconds > 0 ? route.total_seconds : 60;

		if (route.port != 0) {
			show_route(*argv, &route, resolver);
		} else if (keys) {
			(void)resolve_keys(
			    resolver, *argv, clock_ms() + seconds * 1000, -1, &k);
			show_keys(*argv, &k);
		} else {
			(void)resolve_ask(
			    resolver, *argv, mx, clock_ms() + seconds * 1000, -1, &r);
			show_result(*argv, &r);
		}
		fflush(stdout);
		fprintf(stderr, "%lld us\n", microseconds() - begin);
		begin = microseconds();
	}
	resolve_stop(resolver);
	ownnames_free(&own);
	return 0;
}
