/*
 * monitor_mailer - the mailer's monitor and an engine that was taken over: whatever it asks, in
 * whatever order, the key is used once a connection, only where an offer may be taken up, and
 * there are only so many connections (mailer/monitor.c).
 *
 * Input: how hosts may be spoken to; then requests.
 */
#define route_next next_route
#define route_again again_route
#define route_keep keep_route
#define keep_find find_kept_session
#define keep_take take_kept_session
#define keep_identify identify_kept_session
#define route_note_failure note_failure
#define route_note_dead note_dead
#define route_note_alive note_alive
#define trust_host host_trust
#define trust_peer peer_trust
#define trust_clear clear_trust
#define launch_end no_end
#define log_send no_log

#include "mailer/monitor.c"

#include "fuzz/packet.h"

#define REQUESTS 16
#define HOPS 3

static struct {
	uint8_t how;
	unsigned hops, connections, peers;
	bool finds; /* kept sessions */
} seen;

static enum route_step
connect_to(struct hop *hop)
{
	memset(hop, 0, sizeof *hop);
	hop->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	HOLDS(hop->fd >= 0);
	(void)snprintf(hop->host, sizeof hop->host, "mx%u.test", seen.hops);
	(void)snprintf(hop->address, sizeof hop->address, "192.0.2.1");
	seen.connections++;
	return ROUTE_CONNECTED;
}

enum route_step
route_next(struct route *route, int watch_fd, struct hop *hop, struct verdict *verdict)
{
	(void)watch_fd;
	HOLDS(route != NULL && seen.hops <= HOPS);
	if (seen.hops++ < HOPS) {
		(void)connect_to(hop);
		hop->kept = seen.finds && seen.hops % 2 != 0;
		return ROUTE_CONNECTED;
	}
	*verdict = (struct verdict){.code = 451, .enhanced = "4.4.1", .text = "no more"};
	return ROUTE_EXHAUSTED;
}

enum route_step
route_again(struct route *route, int watch_fd, struct hop *hop, struct verdict *verdict)
{
	(void)watch_fd;
	(void)verdict;
	HOLDS(route != NULL && seen.hops > 0);
	return seen.how & 1 ? ROUTE_EXHAUSTED : connect_to(hop);
}

void
route_keep(
    struct route *route, int (*find)(void *context, const struct hop *hop), void *context)
{
	HOLDS(route != NULL && (find == NULL || context != NULL));
	seen.finds = find != NULL;
}

int
keep_find(const struct keep *k, const struct hop *hop, struct keep_record *record)
{
	(void)hop;
	(void)record;
	HOLDS(k != NULL);
	return -1;
}

bool
keep_take(int fd)
{
	HOLDS(fd >= 0);
	return seen.hops % 4 != 0;
}

void
keep_identify(const struct keep *k, const struct hop *hop, struct keep_identity *id)
{
	HOLDS(k != NULL && hop->host[0] != '\0' && seen.peers > 0);
	memset(id, 0, sizeof *id);
}

void
route_note_failure(struct route *route, int code, const char *enhanced, const char *text)
{
	HOLDS(route != NULL && code >= 0 && code <= 999 && strlen(enhanced) < 12);
	HOLDS(text != NULL);
}

void
route_note_dead(struct route *route)
{
	HOLDS(route != NULL);
}

void
route_note_alive(struct route *route)
{
	HOLDS(route != NULL);
}

bool
trust_host(struct trust *t, const struct hop *hop, struct trust_terms *terms, char *why)
{
	(void)t;
	HOLDS(hop->host[0] != '\0');
	(void)snprintf(why, TRUST_TEXT, "not trusted");
	*terms = (struct trust_terms){.offer = (seen.how & 2) == 0,
	    .must_upgrade = (seen.how & 4) != 0,
	    .may_descend = (seen.how & 8) != 0};
	return (seen.how & 0x10) == 0 || seen.hops != 1;
}

/* Keys are only ever noted of a host that is there. */
bool
trust_peer(struct trust *t, const struct hop *hop, const uint8_t key[32], bool pq,
    const struct commitment *commitment, char *why)
{
	(void)key;
	(void)pq;
	HOLDS(hop->host[0] != '\0' && commitment->keys <= COMMITMENT_KEYS);
	HOLDS(t->look_only || ++seen.peers <= seen.connections);
	(void)snprintf(why, TRUST_TEXT, "not trusted");
	t->verdict = "known";
	return (seen.how & 0x20) == 0;
}

bool
trust_clear(struct trust *t, const struct hop *hop, bool starttls, bool *enforce_tls, char *why)
{
	(void)t;
	HOLDS(hop->host[0] != '\0');
	(void)snprintf(why, TRUST_TEXT, "not in clear");
	*enforce_tls = !starttls;
	return (seen.how & 0x40) == 0;
}

void
launch_end(pid_t pid, bool may_kill, char how[LAUNCH_HOW_MAX])
{
	HOLDS(pid == 0 && may_kill);
	how[0] = '\0';
}

void
log_send(const struct log_line *l, int priority)
{
	(void)priority;
	HOLDS(is_printable(l->text));
}

static void
look_at_answers(int fd)
{
	struct session_answer a;
	unsigned dhs = 0, peers = 0, connections = 0;
	bool offer = false;
	int passed;

	while (request_answered(fd, &a, &passed) == REQUEST_OK) {
		HOLDS((passed >= 0) == (a.granted && a.kind == SESSION_ASK_HOP));
		if (passed >= 0)
			close(passed);
		if (a.kind == SESSION_ASK_HOP && a.granted) {
			dhs = peers = 0;
			connections++;
			offer = a.offer && !a.kept; /* which has none to take up */
		}
		HOLDS(a.kind != SESSION_ASK_DH || (++dhs == 1 && offer));
		HOLDS(a.kind != SESSION_ASK_PEER || (++peers == 1 && dhs == 1));
	}
	HOLDS(connections <= seen.connections && seen.connections <= HOPS * 6);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const uint8_t how = input_u8(&in);
	const int next = packet_next_fd();
	static char route[8];
	const struct keep keep = {.seconds = 5};
	struct monitor m = {.queue_id = "Q1", .verdict = "550 5.1.2 no"};
	int fds[2];

	fuzz_start();
	HOLDS(request_pair(fds));
	memset(&seen, 0, sizeof seen);
	seen.how = how;
	m.engine = fds[0];
	m.key = key_fresh();
	m.keep = n % 2 != 0 ? &keep : NULL;
	m.trust.pins = (struct pins *)(void *)route;
	m.record = (struct keep_record){.suite = "mlkem768x25519-chachapoly"};
	m.route = how & 0x80 ? NULL : (struct route *)(void *)route;
	for (int i = 0; i < REQUESTS && in.left > 0; i++)
		packet_send_request(&in, fds[1]);
	(void)shutdown(fds[1], SHUT_WR);
	monitor_run(&m);
	close(fds[0]);
	key_free(m.key);
	look_at_answers(fds[1]);
	close(fds[1]);
	HOLDS(packet_next_fd() == next);
	return 0;
}
