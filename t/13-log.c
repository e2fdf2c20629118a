/* 13-log - one line, whatever a peer says (lib/log.h): built, escaped, bounded, and then as it
 * reaches /dev/log. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/log.h"
#include "tap.h"

static void
test_shape(void)
{
	struct log_line l;

	log_start(&l, "4AL0x1c2012345");
	is_str(l.text, "4AL0x1c2012345: ", "the queue id first");
	log_add(&l, "suite", "x25519-chachapoly");
	log_add_number(&l, "msgs", 2);
	log_add_number(&l, "bytes", -9223372036854775807LL);
	log_addf(&l, "took", "%d.%03d", 1, 20);
	log_add(&l, "absent", NULL);
	log_add(&l, "empty", "");
	is_str(l.text,
	    "4AL0x1c2012345: suite=x25519-chachapoly, msgs=2, bytes=-9223372036854775807, "
	    "took=1.020, empty=\"\"",
	    "key=value, joined by a comma and a space");
	log_start(&l, NULL);
	log_words(&l, "no host key");
	log_add(&l, "file", "/etc/key");
	is_str(l.text, "no host key, file=/etc/key", "words first, no queue id");
	log_start(&l, "");
	log_add(&l, "a", "b");
	is_str(l.text, "a=b", "an empty queue id is none");
}

static void
test_escapes(void)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
	    {"plain", "plain"},
	    {"250 2.0.0 ok", "\"250 2.0.0 ok\""},
	    {"a,b", "\"a,b\""},
	    {"a;b", "\"a;b\""},
	    {"x=y", "\"x=y\""},
	    {"say \"hi\", he", "\"say \\042hi\\042, he\""},
	    {"\"", "\\042"},
	    {"back\\slash", "back\\134slash"},
	    {"line\nforged: stat=Sent", "\"line\\012forged: stat=Sent\""},
	    {"cr\rtab\tnul", "cr\\015tab\\011nul"},
	    {"\033[2J", "\\033[2J"},
	    {"caf\303\251", "caf\\303\\251"},
	    {"\177\200\377", "\\177\\200\\377"},
	    {"%n%s%100d", "%n%s%100d"},
	};
	struct log_line l;
	char want[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		log_start(&l, NULL);
		log_add(&l, "k", rows[i].value);
		snprintf(want, sizeof(want), "k=%s", rows[i].want);
		is_str(l.text, want, "escaped: %s", rows[i].want);
	}
	log_start(&l, NULL);
	log_add_octets(&l, "k", "a\0b", 3);
	is_str(l.text, "k=a\\000b", "a NUL inside");
	log_start(&l, "Q\n1 x=");
	log_words(&l, "two\nlines, \"quoted\"");
	is_str(l.text, "Q\\0121\\040x\\075: two\\012lines, \\042quoted\\042",
	    "the queue id and words are escaped too");
}

/* All 256 octets: whatever comes, the line is printable ASCII. */
static void
test_every_octet(void)
{
	uint8_t value[64];
	struct log_line l;
	unsigned faults = 0;

	for (unsigned octet = 0; octet < 256; octet++) {
		memset(value, (int)octet, sizeof(value));
		log_start(&l, NULL);
		log_add_octets(&l, "k", value, sizeof(value));
		for (size_t i = 0; i < l.len; i++)
			faults += l.text[i] < ' ' || l.text[i] > '~';
		faults += strlen(l.text) != l.len;
	}
	is_int(faults, 0, "every octet is written in printable ASCII");
}

static void
test_bounds(void)
{
	static char huge[100000];
	struct log_line l;

	memset(huge, '\n', sizeof(huge) - 1);
	log_start(&l, "Q1");
	log_add(&l, "from", huge);
	ok(l.len < 300 && strstr(l.text, "...") != NULL, "one value is cut");
	log_add(&l, "stat", "Sent");
	ok(strstr(l.text, "..., stat=Sent") != NULL, "and does not crowd out the next");
	for (int i = 0; i < 50; i++)
		log_add(&l, "more", huge);
	ok(l.len < LOG_LINE_MAX && strlen(l.text) == l.len, "the line has an end: %zu", l.len);
	is_str(l.text + l.len - 3, "...", "which shows");
	log_add(&l, "k", "v");
	is_str(l.text + l.len - 3, "...", "nothing follows it");
	log_start(&l, NULL);
	log_addf(&l, "k", "%s", huge);
	ok(strncmp(l.text, "k=\\012\\012", 10) == 0 && strstr(l.text, "...") != NULL,
	    "a formatted value is cut and escaped");
}

static void
test_peer(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct log_line l;

	inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
	inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
	log_start(&l, NULL);
	log_add_peer(&l, "relay", "mx.example.org", (struct sockaddr *)&in);
	log_add_peer(&l, "a", NULL, (struct sockaddr *)&in6);
	inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
	log_add_peer(&l, "b", "", (struct sockaddr *)&in6);
	log_add_peer(&l, "c", "n", (struct sockaddr *)&local);
	log_add_peer(&l, "d", NULL, NULL);
	is_str(l.text,
	    "relay=mx.example.org [192.0.2.1], a=[IPv6:2001:db8::1], b=[192.0.2.7], "
	    "c=n [unknown], d=[unknown]",
	    "peers as sendmail writes them");
	log_start(&l, NULL);
	log_add_peer(&l, "relay", "evil [10.0.0.1], stat=Sent\n", (struct sockaddr *)&in);
	is_str(l.text,
	    "relay=evil\\040\\13310.0.0.1\\135\\054\\040stat\\075Sent\\012 [192.0.2.1]",
	    "a name cannot pass for more");
}

/* /dev/log of a mount namespace of our own, or -1 with errno. */
static int
open_own_dev_log(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	struct timeval limit = {.tv_sec = 5};
	int fd;

	if (unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/dev", "tmpfs", 0, NULL) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0)
		bail("/dev/log: %s", strerror(errno));
	return fd;
}

static const char *
receive(int fd)
{
	static char text[2048];
	ssize_t n;

	n = recv(fd, text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void
test_send(void)
{
	struct log_line l;
	char want[64];
	const char *got;
	int fd;

	fd = open_own_dev_log();
	if (fd < 0) {
		for (int i = 0; i < 4; i++)
			printf("ok %u # SKIP a /dev/log of its own: %s\n", ++tap.run,
			    strerror(errno));
		return;
	}
	log_open("blackpony-test");
	log_start(&l, "Q1");
	log_add(&l, "stat", "%s%n\n");
	log_send(&l, LOG_DEBUG); /* not sent: the next receive() sees what follows */
	log_send(&l, LOG_INFO);
	got = receive(fd);
	snprintf(want, sizeof(want), "<%d>", LOG_MAIL | LOG_INFO);
	ok(strncmp(got, want, strlen(want)) == 0, "facility mail: %s", got);
	snprintf(
	    want, sizeof(want), " blackpony-test[%d]: Q1: stat=%%s%%n\\012", (int)getpid());
	ok(strlen(got) >= strlen(want) && strcmp(got + strlen(got) - strlen(want), want) == 0,
	    "the line arrives as it was built");
	log_verbose(true);
	log_send(&l, LOG_DEBUG);
	snprintf(want, sizeof(want), "<%d>", LOG_MAIL | LOG_DEBUG);
	ok(strncmp(receive(fd), want, strlen(want)) == 0, "debug lines when verbose");
	for (int i = 0; i < 50; i++)
		log_add(&l, "more", "and more and more and more and more");
	log_send(&l, LOG_INFO);
	got = receive(fd);
	ok(strlen(got) < 1024 && strstr(got, "...") != NULL, "the longest: %zu octets",
	    strlen(got));
	close(fd);
}

int
main(void)
{
	test_shape();
	test_escapes();
	test_every_octet();
	test_bounds();
	test_peer();
	test_send();
	return tap_done();
}
