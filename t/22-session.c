/*
 * 22-session - the sessions in doc/session.txt and doc/session-hybrid.txt, replayed: our server
 * against the document's client and our client against the document's server, octet by octet,
 * with the document's keys. That its values in between are right too is for t/23-independent,
 * whose peer wrote them.
 */
#include <sodium.h>
#include "libxpony/session.h"
#include "t/tap.h"

#define HOST "mail.example.com"
#define HELLO "EHLO client.example.net\r\n"
#define ITEMS_MAX 128
#define ITEM_MAX 4096

/* ---- The document: names, and octets in hexadecimal below them ---- */

struct item {
	char name[64];
	size_t n;
	uint8_t p[ITEM_MAX];
};

static struct item items[ITEMS_MAX];
static size_t item_count;
static const char *document, *suite;

static const char *const sides[] = {[SESSION_SERVER] = "server", [SESSION_CLIENT] = "client"};

static const struct item *
find(const char *name)
{
	for (size_t i = 0; i < item_count; i++)
		if (strcmp(items[i].name, name) == 0)
			return &items[i];
	bail("%s has no \"%s\"", document, name);
}

/* Four spaces, then pairs, with or without a space between; two spaces end them. */
static void
parse_octets(struct item *it, const char *line)
{
	unsigned octet;

	for (line += 4; line[0] != ' ' && sscanf(line, "%2x", &octet) == 1;) {
		if (it->n == ITEM_MAX)
			bail("%s: \"%s\" is too long", document, it->name);
		it->p[it->n++] = (uint8_t)octet;
		line += line[2] == ' ' ? 3 : 2;
	}
}

static void
read_document(void)
{
	const char *top = getenv("abs_top_srcdir");
	char path[4096], line[256];
	FILE *f;

	memset(items, 0, sizeof(items));
	item_count = 0;
	snprintf(path, sizeof(path), "%s/%s", top != NULL ? top : ".", document);
	if ((f = fopen(path, "r")) == NULL)
		bail("cannot read %s", path);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (strncmp(line, "    ", 4) == 0 && item_count > 0) {
			parse_octets(&items[item_count - 1], line);
			continue;
		}
		if (item_count == ITEMS_MAX)
			bail("%s: too many items", document);
		snprintf(items[item_count++].name, sizeof(items[0].name), "%.63s", line);
	}
	fclose(f);
}

/* ---- One side: the engine, its monitor and its MTA ---- */

struct side {
	struct session_config config;
	struct session *s;
	uint8_t heard[ITEM_MAX]; /* what its MTA was told */
	size_t heard_n;
};

static bool
is_server(const struct side *x)
{
	return x->config.role == SESSION_SERVER;
}

/* What a side draws, in this order: its ephemeral key, then what the KEM takes. */
static unsigned draws;

static void
draw(const char *name, void *p, size_t n)
{
	const struct item *it = find(name);

	if (it->n != n)
		bail("%s: %zu octets of \"%s\" are drawn", document, n, name);
	memcpy(p, it->p, n);
}

static void
random_server(void *p, size_t n)
{
	draw(draws++ == 0 ? "e secret" : "m", p, n);
}

static void
random_client(void *p, size_t n)
{
	draw(draws++ == 0 ? "e2 secret" : "d and z", p, n);
}

/* False when that side is deaf: a session that has ended reads no more. */
static bool
give(struct side *x, enum session_side side, const void *p, size_t n)
{
	size_t room;
	uint8_t *to = session_reserve(x->s, side, &room);

	if (to == NULL || room < n)
		return false;
	memcpy(to, p, n);
	session_commit(x->s, side, n);
	return true;
}

static void
answer(struct side *x, const struct session_request *q)
{
	struct session_answer a = {.kind = q->kind, .granted = true, .offer = true};
	const struct item *secret = find(is_server(x) ? "s secret" : "s2 secret");

	if (q->kind == SESSION_TELL_DONE || q->kind == SESSION_TELL_SETTLED)
		return;
	snprintf(a.host, sizeof(a.host), HOST);
	snprintf(a.address, sizeof(a.address), "[192.0.2.25]");
	if (q->kind == SESSION_ASK_DH)
		a.granted = crypto_scalarmult(a.dh, secret->p, q->key) == 0;
	session_answer(x->s, &a);
	if (q->kind == SESSION_ASK_BACKEND && !give(x, SESSION_NEAR, "220 ready\r\n", 11))
		bail("a new back end is not heard");
}

/* As far as it goes; what is for the MTA is kept. */
static void
run(struct side *x)
{
	const struct session_request *q;
	const uint8_t *p;
	size_t n;

	do {
		session_run(x->s);
		if ((q = session_request(x->s)) != NULL)
			answer(x, q);
	} while (q != NULL);
	p = session_output(x->s, SESSION_NEAR, &n);
	if (n > sizeof(x->heard) - x->heard_n)
		bail("the MTA is told too much");
	memcpy(x->heard + x->heard_n, p, n);
	x->heard_n += n;
	session_written(x->s, SESSION_NEAR, n);
}

static void
side_new(struct side *x, enum session_role role)
{
	bool server = role == SESSION_SERVER;

	memset(x, 0, sizeof(*x));
	draws = 0;
	x->config = (struct session_config){.role = role, .name = HOST, .offer = true};
	x->config.random = server ? random_server : random_client;
	memcpy(x->config.s_public, find(server ? "s public" : "s2 public")->p, NOISE_KEY);
	if (!suite_list_parse(&x->config.suites, suite) ||
	    (x->s = session_new(&x->config)) == NULL)
		bail("no session");
	if (!server && !give(x, SESSION_NEAR, HELLO, strlen(HELLO)))
		bail("a new MTA is not heard");
	run(x);
}

/* ---- The replay ---- */

/* Octets that this role's side sends, as in "client sends record 2". */
static bool
is_wire(const struct item *it, enum session_role role)
{
	size_t n = strlen(sides[role]);

	return strncmp(it->name, sides[role], n) == 0 &&
	       strncmp(it->name + n, " sends ", 7) == 0;
}

/* What a record of this role's side carries, as in "data of client record 0". */
static bool
is_data(const struct item *it, enum session_role role)
{
	return strncmp(it->name, "data of ", 8) == 0 &&
	       strncmp(it->name + 8, sides[role], strlen(sides[role])) == 0;
}

/* Our side is to put out these octets. */
static bool
sends(struct side *x, const struct item *it)
{
	const uint8_t *p;
	size_t n;

	run(x);
	p = session_output(x->s, SESSION_FAR, &n);
	if (n < it->n || memcmp(p, it->p, it->n) != 0)
		return false;
	session_written(x->s, SESSION_FAR, it->n);
	return true;
}

static bool
hears(struct side *x, const struct item *it)
{
	size_t n;

	(void)session_output(x->s, SESSION_FAR, &n);
	if (n > 0 || !give(x, SESSION_FAR, it->p, it->n))
		return false;
	run(x);
	return true;
}

/* The early EHLO, and then what the client's records carry. */
static bool
back_end_heard(const struct side *x)
{
	uint8_t said[ITEM_MAX] = HELLO;
	size_t n = strlen(HELLO);

	for (size_t i = 0; i < item_count; i++)
		if (is_data(&items[i], SESSION_CLIENT)) {
			memcpy(said + n, items[i].p, items[i].n);
			n += items[i].n;
		}
	return x->heard_n == n && memcmp(x->heard, said, n) == 0;
}

/* The document's order is that of the session. NULL, or the name of the item where our side
 * went another way. */
static const char *
replay(enum session_role role, struct side *x)
{
	enum session_role other = role == SESSION_SERVER ? SESSION_CLIENT : SESSION_SERVER;
	size_t n;

	side_new(x, role);
	for (size_t i = 0; i < item_count; i++) {
		const struct item *it = &items[i];

		if (is_data(it, role)) {
			if (!give(x, SESSION_NEAR, it->p, it->n))
				return it->name;
		} else if (is_wire(it, role)) {
			if (!sends(x, it))
				return it->name;
		} else if (is_wire(it, other) && !hears(x, it)) {
			return it->name;
		}
	}
	session_eof(x->s, SESSION_FAR);
	run(x);
	(void)session_output(x->s, SESSION_FAR, &n);
	if (n > 0 || !session_is_over(x->s) || session_report(x->s)->fault != ERR_NONE)
		return "the end";
	return !is_server(x) || back_end_heard(x) ? NULL : "what the back end heard";
}

/* ---- The tests ---- */

static void
test_replay(enum session_role role)
{
	static struct side x;
	const char *fault = replay(role, &x);

	ok(fault == NULL, "our %s replays %s", sides[role], document);
	if (fault != NULL)
		diag("first difference: %s", fault);
	is_int(session_report(x.s)->messages, 1, "our %s counts one message", sides[role]);
	is_str(session_report(x.s)->suite, suite, "our %s knows the suite", sides[role]);
	is_mem(session_report(x.s)->key, NOISE_KEY,
	    find(role == SESSION_SERVER ? "s2 public" : "s public")->p, NOISE_KEY,
	    "our %s knows the other's key", sides[role]);
	if (role == SESSION_SERVER)
		ok(back_end_heard(&x), "the back end hears early EHLO and the data");
	session_free(x.s);
}

static bool
replays(enum session_role role)
{
	static struct side x;
	bool held = replay(role, &x) == NULL;

	session_free(x.s);
	return held;
}

/* One changed bit in anything on the wire, and neither side goes along. Only words of the
 * greeting before the offer are for the client mere decoration. */
static void
test_changed(void)
{
	unsigned unseen = 0, tried = 0;

	for (size_t i = 0; i < item_count; i++) {
		struct item *it = &items[i];
		bool greeting = strstr(it->name, "greeting") != NULL;

		if (strstr(it->name, " sends ") == NULL)
			continue;
		for (size_t at = it->n - 1; at < it->n; at -= 13) {
			it->p[at] ^= 1;
			unseen += replays(SESSION_SERVER);
			unseen += !(greeting && (at < 28 || at > it->n - 3)) &&
				  replays(SESSION_CLIENT);
			it->p[at] ^= 1;
			tried++;
		}
	}
	is_int(unseen, 0, "no changed bit on the wire goes unseen by either side");
	ok(tried > 150, "%u changes tried", tried);
}

static void
test_rekey(const char *name, const char *rekeyed)
{
	struct noise_cipher c = {.keyed = true, .n = 7};

	memcpy(c.key, find(name)->p, NOISE_KEY);
	noise_cipher_rekey(&c);
	is_mem(c.key, NOISE_KEY, find(rekeyed)->p, NOISE_KEY, "%s", rekeyed);
	is_int(c.n, 7, "the count goes on");
}

static void
test_document(const char *name, const char *its_suite)
{
	document = name;
	suite = its_suite;
	read_document();
	test_replay(SESSION_SERVER);
	test_replay(SESSION_CLIENT);
	test_changed();
	test_rekey("key from server to client", "key from server to client, rekeyed");
	test_rekey("key from client to server", "key from client to server, rekeyed");
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("no libsodium");
	test_document("doc/session.txt", "x25519-chachapoly");
	test_document("doc/session-hybrid.txt", "mlkem768x25519-chachapoly");
	return tap_done();
}
