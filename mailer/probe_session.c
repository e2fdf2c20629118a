/*
 * probe_session - one connection of a probe: EHLO and QUIT, by the engine that speaks for mail
 * too (probe.h). A child of its own, since an engine takes standard input and output for the
 * MTA's.
 */
#include "mailer/probe.h"
#include "lib/clock.h"
#include "lib/launch.h"
#include "lib/request.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SESSION_MS 180000 /* more than the route's and the greeting's patience */
#define REPLY_MAX 65536   /* a pipe's room: what the engine says is read when it has ended */

/* The child's. */
struct conversation {
	const struct probe *p;
	struct probe_session *s;
	struct hop hop;
	int monitor, said; /* the engine's requests; what it says to its MTA */
	int64_t started;
	bool connected_once, dh_granted;
};

static void
note_fault(struct probe_session *s, const char *text)
{
	size_t i;

	(void)strlcpy(s->fault, text, sizeof(s->fault));
	for (i = 0; s->fault[i] != '\0'; i++)
		if (s->fault[i] < ' ' || s->fault[i] > '~')
			s->fault[i] = '?';
}

static bool
answer_hop(struct conversation *c, const struct session_request *q)
{
	struct session_answer a = {.kind = SESSION_ASK_HOP};

	if (c->connected_once) {
		note_fault(c->s, q->text);
		(void)snprintf(a.text, sizeof(a.text), "451 4.4.2 A probe goes no further");
		return request_answer(c->monitor, &a, -1);
	}
	c->connected_once = true;
	a.granted = true;
	a.offer = true;
	a.suites = SESSION_SUITES_ALL;
	(void)snprintf(a.host, sizeof(a.host), "%s", c->hop.host);
	(void)snprintf(a.address, sizeof(a.address), "[%s]", c->hop.address);
	return request_answer(c->monitor, &a, c->hop.fd);
}

static bool
answer_dh(struct conversation *c, const struct session_request *q)
{
	struct session_answer a = {.kind = SESSION_ASK_DH};
	bool sent;

	if (!c->dh_granted)
		a.granted = key_dh(c->p->key, q->key, a.dh);
	c->dh_granted = true;
	sent = request_answer(c->monitor, &a, -1);
	sodium_memzero(&a, sizeof(a));
	return sent;
}

static bool
answer_peer(struct conversation *c, const struct session_request *q)
{
	const struct session_answer a = {.kind = SESSION_ASK_PEER, .granted = true};

	memcpy(c->s->key, q->key, sizeof(c->s->key));
	c->s->has_peer = true;
	c->s->commitment = q->commitment;
	c->s->proved_ms = (int)(clock_ms() - c->started);
	return request_answer(c->monitor, &a, -1);
}

static bool
answer_clear(struct conversation *c, const struct session_request *q)
{
	const struct session_answer a = {.kind = SESSION_ASK_CLEAR, .granted = true};

	c->s->starttls = q->starttls != 0;
	return request_answer(c->monitor, &a, -1);
}

static void
take_report(struct conversation *c, const struct session_report *r)
{
	(void)strlcpy(c->s->suite, r->suite, sizeof(c->s->suite));
	c->s->by_hint = r->by_hint != 0;
	if (c->s->fault[0] == '\0' && r->fault != ERR_NONE)
		note_fault(
		    c->s, r->verdict[0] != '\0' ? r->verdict : err_text((enum err)r->fault));
}

/* False at the end. */
static bool
serve_request(struct conversation *c, const struct session_request *q)
{
	switch ((enum session_request_kind)q->kind) {
	case SESSION_ASK_HOP:
		return answer_hop(c, q);
	case SESSION_ASK_DH:
		return answer_dh(c, q);
	case SESSION_ASK_PEER:
		return answer_peer(c, q);
	case SESSION_ASK_CLEAR:
		return answer_clear(c, q);
	case SESSION_TELL_DONE:
		take_report(c, &q->report);
		return false;
	default:
		note_fault(c->s, "engine broke its bounds");
		return false;
	}
}

/* The keywords of the EHLO reply: the first word of each line but the first, and SIZE's number.
 */
static void
read_keywords(struct conversation *c)
{
	static char said[REPLY_MAX];
	char *line, *rest = said;
	size_t n = 0;
	ssize_t got;
	bool first = true;

	while (
	    n < sizeof(said) - 1 && (got = read(c->said, said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL) {
		line[strcspn(line, "\r")] = '\0';
		if (strncmp(line, "250", 3) != 0 || strlen(line) < 5)
			continue;
		c->s->greeted = true;
		if (!first && line[4 + strspn(line + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
							"abcdefghijklmnopqrstuvwxyz"
							"0123456789-=. ")] == '\0') {
			(void)strlcat(c->s->keywords, c->s->keywords[0] != '\0' ? ", " : "",
			    sizeof(c->s->keywords));
			(void)strlcat(c->s->keywords, line + 4, sizeof(c->s->keywords));
		}
		first = false;
	}
}

/* Standard input with all that an MTA would say, and standard output to be read afterwards. */
static bool
place_near_side(struct conversation *c)
{
	char commands[512];
	int in[2], out[2], n;

	n = snprintf(commands, sizeof(commands), "EHLO %s\r\nQUIT\r\n", c->p->name);
	if (n < 0 || n >= (int)sizeof(commands) || pipe(in) != 0 || pipe(out) != 0 ||
	    write(in[1], commands, (size_t)n) != n)
		return false;
	c->said = out[0];
	return close(in[1]) == 0 && dup2(in[0], STDIN_FILENO) >= 0 &&
	       dup2(out[1], STDOUT_FILENO) >= 0 && close(in[0]) == 0 && close(out[1]) == 0;
}

static void
note_times(struct conversation *c)
{
	struct tcp_info info;
	socklen_t n = sizeof(info);

	c->s->total_ms = (int)(clock_ms() - c->started);
	if (getsockopt(c->hop.fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0)
		c->s->rtt_us = info.tcpi_rtt;
}

static void
speak(struct conversation *c)
{
	struct session_config config = {.role = SESSION_CLIENT,
	    .name = c->p->name,
	    .suites = c->p->suites,
	    .rot = c->p->rot,
	    .offer = true,
	    .random = randombytes_buf};
	struct launch launch = {.config = &config, .key = c->p->key, .root = -1};
	const struct passwd *nobody;
	struct session_request q;

	if (getuid() == 0 && (nobody = getpwnam("nobody")) != NULL) {
		launch.user = nobody->pw_uid;
		launch.group = nobody->pw_gid;
	}
	memcpy(config.s_public, key_public(c->p->key), KEY_OCTETS);
	if (!place_near_side(c) || launch_engine(&launch, &c->monitor) < 0) {
		note_fault(c->s, "the engine cannot be started");
		return;
	}
	while (request_receive(c->monitor, &q) == REQUEST_OK && serve_request(c, &q))
		;
	note_times(c);
	read_keywords(c);
}

static void
converse(const struct probe *p, const struct sockaddr_storage *address, const char *text,
    struct probe_session *s)
{
	struct destination_list one = {.count = 1};
	struct conversation c = {.p = p, .s = s, .started = clock_ms()};
	struct verdict v;
	struct route *route;

	one.item[0].kind = DESTINATION_ADDRESS;
	one.item[0].address = *address;
	(void)snprintf(one.item[0].name, sizeof(one.item[0].name), "[%s]", text);
	if ((route = route_new(&one, &p->route, NULL)) == NULL) {
		note_fault(s, "no memory");
	} else if (route_next(route, -1, &c.hop, &v) != ROUTE_CONNECTED) {
		note_fault(s, v.text);
	} else {
		s->connected = true;
		s->connect_ms = (int)(clock_ms() - c.started);
		speak(&c);
	}
	route_free(route);
}

bool
probe_session(const struct probe *p, const struct sockaddr_storage *address, const char *text,
    struct probe_session *s)
{
	struct pollfd ready = {.events = POLLIN};
	int fds[2];
	bool told;
	pid_t pid;

	memset(s, 0, sizeof(*s));
	if (pipe(fds) != 0 || (pid = fork()) < 0)
		return false;
	if (pid == 0) {
		(void)close(fds[0]);
		converse(p, address, text, s);
		_exit(write(fds[1], s, sizeof(*s)) == (ssize_t)sizeof(*s) ? 0 : 1);
	}
	(void)close(fds[1]);
	ready.fd = fds[0];
	told = poll(&ready, 1, SESSION_MS) == 1 &&
	       read(fds[0], s, sizeof(*s)) == (ssize_t)sizeof(*s);
	(void)close(fds[0]);
	if (!told) {
		(void)kill(pid, SIGKILL);
		memset(s, 0, sizeof(*s));
		note_fault(s, "no end within three minutes");
	}
	(void)waitpid(pid, NULL, 0);
	return true;
}
