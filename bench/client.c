/*
 * client - the load of the benchmark: SMTP sessions with one message each to one address, some
 * at a time, in clear or over XPONY. Started by the rows in bench/. All sessions are in this
 * one process, so that the sending side costs as little as it can: the engine of
 * blackpony-mailer (libxpony/session.h) without a sandbox, with a host key and a consenting
 * monitor of its own.
 *
 *	client [-p] [-c at-a-time] [-n sessions] [-r recipient] [-s octets] [-x suites]
 *	       address port
 *	client [-p] -i [-n sessions] address port
 *	client [-n sessions] [-r recipient] [-s octets] -m mailer [argument ...]
 *
 * -p is plain SMTP; so is -m, to a program mailer that it starts as sendmail does. It prints
 * the seconds that the sessions took, and the processor seconds of its own. -i stops each
 * session after its EHLO reply, says "idle" when all are there, and keeps them until standard
 * input ends.
 */
#include "libxpony/session.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AT_A_TIME_MAX 256
#define LINE 64               /* octets in a line of a body, CRLF included */
#define BLOCK ((size_t)65536) /* whole lines */
#define REPLY 2048
#define STUCK_MS 60000

static char envelope[512];

/* The MTA's part: what it says once so many replies to what it said before are there. */
static const struct step {
	int replies;
	const char *words;
} steps[] = {
    {1, "EHLO bench.test\r\n"},
    {1, envelope},
    {3, ".\r\n"}, /* behind the body */
    {1, "QUIT\r\n"},
    {1, NULL},
};
enum { STEP_MAIL = 1, STEP_BODY = 2, STEPS = sizeof(steps) / sizeof(steps[0]) };

static struct load {
	struct sockaddr_in to;
	const char *recipient;
	struct session_config config;
	uint8_t secret[NOISE_KEY];
	char block[BLOCK];
	size_t octets; /* in a body */
	unsigned long wanted, begun, done;
	int at_a_time;
	char **mailer; /* its command line */
	bool plain, idle;
} load = {.config = {.role = SESSION_CLIENT,
	      .name = "bench",
	      .offer = true,
	      .random = randombytes_buf},
    .recipient = "bob@b.test",
    .wanted = 1,
    .at_a_time = 1,
    .octets = 1024};

static struct connection {
	int fd, out;       /* to read and to write, one socket or two pipes; -1: none */
	struct session *s; /* NULL in plain */
	size_t step;       /* the next that it will take */
	int replies;       /* to the one before */
	char reply[REPLY]; /* the line that is coming in */
	size_t in_reply;
	size_t body_at, body_end; /* said before the words */
	const char *words;
	bool waits, over; /* -i: it is where it shall stay; nothing is left to say or hear */
} connections[AT_A_TIME_MAX];

static void
take_step(struct connection *c)
{
	if (c->step == STEP_MAIL && load.idle) {
		c->waits = true;
		return;
	}
	if (c->step == STEP_BODY)
		c->body_end = load.octets;
	c->words = steps[c->step].words;
	c->over = c->words == NULL;
	c->replies = 0;
	c->step++;
}

/* What the MTA has to say now. */
static const char *
words(const struct connection *c, size_t *n)
{
	if (c->body_at < c->body_end) {
		*n = c->body_end - c->body_at;
		if (*n > BLOCK - c->body_at % BLOCK)
			*n = BLOCK - c->body_at % BLOCK;
		return load.block + c->body_at % BLOCK;
	}
	*n = c->words != NULL ? strlen(c->words) : 0;
	return c->words;
}

static void
said(struct connection *c, size_t n)
{
	if (c->body_at < c->body_end)
		c->body_at += n;
	else if (n > 0)
		c->words += n;
}

/* What the MTA hears. */
static void
hear(struct connection *c, const char *p, size_t n)
{
	for (; n > 0 && !c->over; p++, n--) {
		if (c->in_reply == sizeof(c->reply))
			errx(1, "a reply of too many octets");
		c->reply[c->in_reply++] = *p;
		if (*p != '\n')
			continue;
		if (c->reply[0] != '2' && c->reply[0] != '3')
			errx(1, "refused: %.*s", (int)c->in_reply, c->reply);
		if (c->in_reply > 3 && c->reply[3] != '-' &&
		    ++c->replies == steps[c->step].replies)
			take_step(c);
		c->in_reply = 0;
	}
}

/* The monitor's part: yes to all but to mail in clear. */
static void
consent(struct connection *c, const struct session_request *q)
{
	struct session_answer a = {.kind = q->kind, .granted = true, .offer = true};

	switch (q->kind) {
	case SESSION_ASK_HOP:
		if (q->reason != SESSION_HOP_FIRST)
			errx(1, "no other host: %s", q->text);
		(void)snprintf(a.host, sizeof(a.host), "bench");
		(void)inet_ntop(AF_INET, &load.to.sin_addr, a.address, sizeof(a.address));
		break;
	case SESSION_ASK_DH:
		if (crypto_scalarmult(a.dh, load.secret, q->key) != 0)
			errx(1, "Diffie-Hellman");
		break;
	case SESSION_ASK_PEER:
		break;
	case SESSION_TELL_DONE:
		return;
	default:
		errx(1, "request %d", q->kind);
	}
	session_answer(c->s, &a);
}

static void
connect_to(struct connection *c)
{
	const int on = 1;

	if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
	    connect(c->fd, (struct sockaddr *)&load.to, sizeof(load.to)) != 0 ||
	    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0)
		err(1, "connect");
}

static void
start_mailer(struct connection *c)
{
	int in[2], out[2];
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		err(1, "start");
	if (pid == 0) {
		if (dup2(out[0], STDIN_FILENO) >= 0 && dup2(in[1], STDOUT_FILENO) >= 0 &&
		    dup2(in[1], STDERR_FILENO) >= 0)
			(void)execv(load.mailer[0], load.mailer);
		_exit(127);
	}
	(void)close(out[0]);
	(void)close(in[1]);
	c->fd = in[0];
	c->out = out[1];
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(c->out, F_SETFL, O_NONBLOCK) != 0)
		err(1, "pipes");
}

static void
begin(struct connection *c)
{
	memset(c, 0, sizeof(*c));
	load.begun++;
	if (load.mailer != NULL) {
		start_mailer(c);
		return;
	}
	connect_to(c);
	c->out = c->fd;
	if (!load.plain && (c->s = session_new(&load.config)) == NULL)
		errx(1, "out of memory");
}

/* True when octets went. */
static bool
put(struct connection *c, const void *p, size_t n, size_t *put)
{
	ssize_t gone = n > 0 ? write(c->out, p, n) : 0;

	if (gone < 0 && errno != EAGAIN)
		err(1, "write");
	*put = gone > 0 ? (size_t)gone : 0;
	return *put > 0;
}

/* True when octets came or the end did; *n is 0 then. */
static bool
get(struct connection *c, void *p, size_t room, size_t *n)
{
	ssize_t got = room > 0 ? read(c->fd, p, room) : -1;

	if (got < 0 && room > 0 && errno != EAGAIN && errno != ECONNRESET)
		err(1, "read");
	*n = got > 0 ? (size_t)got : 0;
	return got > 0 || (got == 0 && room > 0);
}

/* A turn of a plain session; false when it has to wait. */
static bool
move_plain(struct connection *c)
{
	char room[4096];
	const char *p;
	size_t n;

	p = words(c, &n);
	if (put(c, p, n, &n)) {
		said(c, n);
		return true;
	}
	if (!get(c, room, sizeof(room), &n))
		return false;
	if (n == 0 && !c->over)
		errx(1, "the host left");
	hear(c, room, n);
	return n > 0;
}

/* The MTA's side of the engine. */
static bool
move_near(struct connection *c)
{
	const uint8_t *out;
	const char *p;
	uint8_t *room;
	size_t n, cap;

	p = words(c, &n);
	if ((room = session_reserve(c->s, SESSION_NEAR, &cap)) == NULL)
		cap = 0;
	n = n < cap ? n : cap;
	if (n > 0) {
		memcpy(room, p, n);
		session_commit(c->s, SESSION_NEAR, n);
		said(c, n);
	}
	out = session_output(c->s, SESSION_NEAR, &cap);
	hear(c, (const char *)out, cap);
	session_written(c->s, SESSION_NEAR, cap);
	return n > 0 || cap > 0;
}

/* A turn of an encrypted session, as lib/relay.c has it. */
static bool
move_sealed(struct connection *c)
{
	const struct session_request *q;
	const uint8_t *out;
	uint8_t *room;
	bool moved;
	size_t n;

	session_run(c->s);
	moved = move_near(c);
	out = session_output(c->s, SESSION_FAR, &n);
	if (put(c, out, n, &n)) {
		session_written(c->s, SESSION_FAR, n);
		moved = true;
	}
	for (; (q = session_request(c->s)) != NULL; moved = true)
		consent(c, q);
	if (moved || session_is_over(c->s))
		return moved;
	if ((room = session_reserve(c->s, SESSION_FAR, &n)) == NULL || !get(c, room, n, &n))
		return false;
	if (n == 0)
		session_eof(c->s, SESSION_FAR);
	session_commit(c->s, SESSION_FAR, n);
	session_run(c->s);
	return true;
}

static void
end(struct connection *c)
{
	const struct session_report *r = c->s != NULL ? session_report(c->s) : NULL;

	if (!c->over || (r != NULL && (r->messages != 1 || r->suite[0] == '\0')))
		errx(1, "a session ended too early: %s", r != NULL ? r->verdict : "");
	session_free(c->s);
	c->s = NULL;
	if (c->out != c->fd)
		(void)close(c->out);
	(void)close(c->fd);
	c->fd = -1;
	if (load.mailer != NULL)
		(void)wait(NULL);
	load.done++;
}

static void
move(struct connection *c)
{
	while (c->s != NULL ? move_sealed(c) : move_plain(c))
		;
	if (c->s != NULL ? session_is_over(c->s) : c->over)
		end(c);
}

static bool
all_wait(void)
{
	for (int i = 0; i < load.at_a_time; i++)
		if (!connections[i].waits)
			return false;
	return true;
}

/* What to wait for: octets from the other end, and room when there is something for it. */
static void
watch(const struct connection *c, struct pollfd p[2])
{
	size_t n = 0;

	if (c->fd >= 0 && c->s != NULL)
		(void)session_output(c->s, SESSION_FAR, &n);
	else if (c->fd >= 0)
		(void)words(c, &n);
	p[0] = (struct pollfd){.fd = c->fd, .events = POLLIN};
	p[1] = (struct pollfd){.fd = n > 0 ? c->out : -1, .events = POLLOUT};
}

static void
run(void)
{
	struct pollfd p[AT_A_TIME_MAX][2];

	while (load.done < load.wanted && !(load.idle && all_wait())) {
		for (int i = 0; i < load.at_a_time; i++) {
			if (connections[i].fd < 0 && load.begun < load.wanted)
				begin(&connections[i]);
			watch(&connections[i], p[i]);
		}
		if (poll(p[0], 2 * (nfds_t)load.at_a_time, STUCK_MS) <= 0)
			errx(1, "stuck after %lu sessions", load.done);
		for (int i = 0; i < load.at_a_time; i++)
			if ((p[i][0].revents | p[i][1].revents) != 0)
				move(&connections[i]);
	}
}

static unsigned long
number(const char *text, unsigned long max)
{
	char *rest;
	unsigned long n = strtoul(text, &rest, 10);

	if (rest == text || *rest != '\0' || n == 0 || n > max)
		errx(2, "%s: not a number from 1 to %lu", text, max);
	return n;
}

_Noreturn static void
usage(void)
{
	errx(2,
	    "usage: client [-pi] [-c at-a-time] [-n sessions] [-r recipient] [-s octets]\n"
	    "              [-x suites] address port\n"
	    "       client [-n sessions] [-r recipient] [-s octets] -m mailer [argument ...]");
}

static void
parse_address(const char *address, const char *port)
{
	load.to.sin_family = AF_INET;
	if (inet_pton(AF_INET, address, &load.to.sin_addr) != 1)
		usage();
	load.to.sin_port = htons((uint16_t)number(port, 65535));
}

static void
parse(int argc, char **argv)
{
	bool mailer = false;
	int option;

	suite_list_default(&load.config.suites);
	while ((option = getopt(argc, argv, "+pimc:n:r:s:x:")) != -1) {
		if (option == 'p')
			load.plain = true;
		else if (option == 'i')
			load.idle = true;
		else if (option == 'm')
			mailer = load.plain = true;
		else if (option == 'c')
			load.at_a_time = (int)number(optarg, AT_A_TIME_MAX);
		else if (option == 'n')
			load.wanted = number(optarg, ULONG_MAX);
		else if (option == 'r')
			load.recipient = optarg;
		else if (option == 's')
			load.octets = number(optarg, SIZE_MAX - LINE);
		else if (option != 'x' || !suite_list_parse(&load.config.suites, optarg))
			usage();
	}
	if (mailer && argc > optind)
		load.mailer = argv + optind;
	else if (!mailer && argc - optind == 2)
		parse_address(argv[optind], argv[optind + 1]);
	else
		usage();
	load.octets = (load.octets + LINE - 1) / LINE * LINE;
	if (load.idle)
		load.at_a_time =
		    (int)(load.wanted < AT_A_TIME_MAX ? load.wanted : AT_A_TIME_MAX);
}

static void
prepare(void)
{
	if (sodium_init() < 0)
		errx(1, "libsodium");
	(void)snprintf(envelope, sizeof(envelope),
	    "MAIL FROM:<alice@a.test>\r\nRCPT TO:<%.255s>\r\nDATA\r\n", load.recipient);
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < BLOCK; i++)
		load.block[i] = i % LINE == LINE - 2 ? '\r' : i % LINE == LINE - 1 ? '\n' : 'x';
	randombytes_buf(load.secret, sizeof(load.secret));
	load.config = (struct session_config){
	    .role = SESSION_CLIENT, .name = "bench", .offer = true, .random = randombytes_buf};
	suite_list_default(&load.config.suites);
	(void)crypto_scalarmult_base(load.config.s_public, load.secret);
	for (int i = 0; i < AT_A_TIME_MAX; i++)
		connections[i].fd = connections[i].out = -1;
}

static double
seconds(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	double from;
	char waste[64];

	parse(argc, argv);
	prepare();
	from = seconds(CLOCK_MONOTONIC);
	run();
	if (load.idle)
		(void)printf("idle\n");
	else
		(void)printf("%.6f %.6f\n", seconds(CLOCK_MONOTONIC) - from,
		    seconds(CLOCK_PROCESS_CPUTIME_ID));
	(void)fflush(stdout);
	while (load.idle && read(STDIN_FILENO, waste, sizeof(waste)) > 0)
		;
	return 0;
}
