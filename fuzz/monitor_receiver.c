/*
 * monitor_receiver - the receiver's monitor and an engine that was taken over: whatever it
 * asks, in whatever order, the key is used once, for a peer that was named, and each back end
 * is started once, and told what is true (receiver/monitor.c).
 *
 * Input: what the monitor has; then requests.
 */
#define pair_make no_pair
#define backend_start no_backend
#define sandbox_enter no_sandbox
#define launch_end no_end
#define log_send no_log
#define relaykeys_find no_relay_keys

#include "receiver/monitor.c"

#include "fuzz/packet.h"

#define REQUESTS 12

static struct {
	const struct monitor *m;
	unsigned plain, upgraded; /* back ends */
	bool listed, fails, walled;
} seen;

static bool
is_our_name(const struct monitor *m)
{
	return strcasecmp(m->meant, "mx.test") == 0 || strcasecmp(m->meant, "mx.test.") == 0 ||
	       (m->own_names != NULL && strcmp(m->meant, "other.test") == 0);
}

bool
pair_make(const struct sockaddr_storage *client, const struct sockaddr_storage *local,
    const char *kept, int fds[2], char *why, size_t why_size)
{
	(void)client;
	(void)local;
	(void)kept;
	(void)snprintf(why, why_size, "no pair");
	return !seen.fails && request_pair(fds);
}

pid_t
backend_start(
    char *const argv[], int fd, const struct backend_about *about, char *why, size_t why_size)
{
	char fingerprint[KEY_FINGERPRINT_MAX];

	(void)why;
	(void)why_size;
	HOLDS(argv == NULL && fd >= 0 && !seen.walled);
	if (!about->upgraded) {
		HOLDS(seen.plain++ == 0 && seen.upgraded == 0 && about->key == NULL);
		return 1;
	}
	HOLDS(seen.upgraded++ == 0);
	if (seen.m->rot > 0) {
		HOLDS(strcmp(about->suite, "ROT13") == 0 && about->bits == 0 && !about->relay);
		return 1;
	}
	HOLDS(suite_find(about->suite, strlen(about->suite)) != NULL && about->bits > 0);
	key_fingerprint(seen.m->peer, fingerprint);
	HOLDS(about->key != NULL && strcmp(about->key, fingerprint) == 0);
	HOLDS(!about->relay || (seen.listed && is_our_name(seen.m)));
	return 1;
}

bool
sandbox_enter(const struct sandbox *s)
{
	HOLDS(s->role == SANDBOX_MONITOR && seen.m->key == NULL);
	seen.walled = true;
	return true;
}

void
launch_end(pid_t pid, bool may_kill, char how[LAUNCH_HOW_MAX])
{
	HOLDS(pid == 0 && may_kill == !seen.walled);
	how[0] = '\0';
}

void
log_send(const struct log_line *l, int priority)
{
	(void)priority;
	HOLDS(is_printable(l->text));
}

bool
relaykeys_find(
    struct relaykeys *r, const char *path, const uint8_t public[KEY_OCTETS], char *why)
{
	HOLDS(path == NULL && public == seen.m->peer);
	(void)snprintf(why, RELAYKEYS_REASON_MAX, "no file");
	*r = (struct relaykeys){.keys = 1, .listed = seen.listed};
	return true;
}

/* What the engine got: the Diffie-Hellman once, a descriptor for each back end. */
static void
look_at_answers(int fd)
{
	struct session_answer a;
	unsigned granted[SESSION_ASK_MAIL + 1] = {0};
	int passed;

	while (request_answered(fd, &a, &passed) == REQUEST_OK) {
		HOLDS(a.kind <= SESSION_ASK_MAIL && is_printable(a.text));
		HOLDS((passed >= 0) == (a.granted && a.kind == SESSION_ASK_BACKEND));
		if (passed >= 0)
			close(passed);
		granted[a.kind] += a.granted != 0;
		HOLDS(a.kind != SESSION_ASK_DH || granted[SESSION_ASK_PEER] == 1);
	}
	HOLDS(granted[SESSION_ASK_DH] <= 1 && granted[SESSION_ASK_PEER] <= 1);
	HOLDS(granted[SESSION_ASK_BACKEND] <= seen.plain + seen.upgraded);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const uint8_t how = input_u8(&in);
	const int next = packet_next_fd();
	struct suite_list suites;
	struct monitor m = {.name = "mx.test", .suites = &suites};
	int fds[2];

	fuzz_start();
	HOLDS(request_pair(fds));
	suite_list_default(&suites);
	m.engine = fds[0];
	m.rot = how & 1 ? 13 : 0;
	m.key = how & 3 ? NULL : key_fresh();
	m.peers_unknown = (how & 4) != 0;
	m.peers.demand = how & 8 ? PEERS_KEY : PEERS_MAY;
	m.own_names = how & 0x40 ? "mail.test,other.test" : NULL;
	m.client.ss_family = how & 0x80 ? AF_INET6 : AF_INET;
	memset(&seen, 0, sizeof seen);
	seen.m = &m;
	seen.listed = (how & 0x10) != 0;
	seen.fails = (how & 0x20) != 0;
	for (int i = 0; i < REQUESTS && in.left > 0; i++)
		packet_send_request(&in, fds[1]);
	(void)shutdown(fds[1], SHUT_WR);
	monitor_run(&m);
	close(fds[0]);
	key_free(m.key);
	HOLDS(seen.upgraded == 0 || seen.walled);
	look_at_answers(fds[1]);
	close(fds[1]);
	HOLDS(packet_next_fd() == next);
	return 0;
}
