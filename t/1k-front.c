/*
 * 1k-front - whose connection a load balancer brings: the file that lists balancers, and the
 * header that one sends, whole, in pieces, cut off, wrong, late, with the client's octets
 * behind it.
 */
#include "receiver/balancers.h"
#include "receiver/front.h"
#include "receiver/pair.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/proxy2.h"
#include "t/tap.h"

#define NOBODY 65534
#define ADDRESSES "use 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or [2001:db8::]/32"
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define LOCAL SIGNATURE "\x20\x00\x00\x00"

static struct sockaddr_storage
address(const char *text, in_port_t port)
{
	struct sockaddr_storage a;
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
		memcpy(&a, &six, sizeof(six));
	else if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		memcpy(&a, &four, sizeof(four));
	else
		bail("no address: %s", text);
	return a;
}

static const char *
as_text(const struct sockaddr_storage *a)
{
	static char text[2][PAIR_ADDRESS_MAX];
	static int turn;

	turn = !turn;
	pair_format(a, text[turn], sizeof(text[turn]));
	return text[turn];
}

static void
lists(const char *text, const char *who, bool want)
{
	const struct sockaddr_storage a = address(who, 1);
	char why[BALANCERS_REASON_MAX];
	struct balancers b;

	ok(balancers_parse(&b, "/f", text, strlen(text), &a, why) && b.listed == want,
	    "%s is %s", who, want ? "listed" : "not");
}

static void
fails(const char *text, const char *want)
{
	const struct sockaddr_storage a = address("192.0.2.10", 1);
	char why[BALANCERS_REASON_MAX];
	struct balancers b;

	ok(!balancers_parse(&b, "/f", text, strlen(text), &a, why) && !b.listed, "%s", want);
	is_str(why, want, "in these words");
	ok(!balancers_parse(&b, "/f", text, strlen(text), NULL, why), "whoever it is for");
}

static void
test_file(void)
{
	static const char text[] = "# who\n192.0.2.10\n198.51.100.0/29 # those\n"
				   "\n2001:db8::10\n[2001:db8:1::]/64";
	char path[] = "/tmp/blackpony-1k.XXXXXX", why[BALANCERS_REASON_MAX], want[256];
	const struct sockaddr_storage a = address("192.0.2.10", 1);
	struct balancers b;
	int fd = mkstemp(path);

	lists("", "192.0.2.10", false);
	lists(text, "192.0.2.10", true);
	lists(text, "192.0.2.11", false);
	lists(text, "198.51.100.7", true);
	lists(text, "198.51.100.8", false);
	lists(text, "2001:db8::10", true);
	lists(text, "2001:db8::11", false);
	lists(text, "2001:db8:1::ffff", true);
	lists(text, "c000:20a::", false);
	fails("192.0.2.10\nlb1.example\n", "/f:2: 'lb1.example' is no address; " ADDRESSES);
	fails("192.0.2.10 lb1\n", "/f:1: 'lb1' is too much; a line has one address or network");
	fails("192.0.2.10\n192.0.2.10/32\n",
	    "/f:2: '192.0.2.10/32' stands in line 1 already; make one line of the two");
	fails("192.0.2.10\n0.0.0.0/0\n",
	    "/f:2: '0.0.0.0/0' is everybody, and who is listed is believed; name the balancers "
	    "alone");
	fails("::/0\n",
	    "/f:1: '::/0' is everybody, and who is listed is believed; name the balancers "
	    "alone");
	if (fd < 0 || write(fd, text, sizeof(text) - 1) != sizeof(text) - 1 || close(fd) != 0)
		bail("cannot write %s", path);
	ok(balancers_find(&b, path, &a, why) && b.listed && b.count == 4, "a file: %s", why);
	ok(balancers_find(&b, path, NULL, why) && !b.listed && b.count == 4, "without a peer");
	(void)chmod(path, 0666);
	ok(!balancers_find(&b, path, &a, why) && strstr(why, "chmod go-w") != NULL,
	    "one that others may write is refused");
	(void)unlink(path);
	(void)snprintf(want, sizeof(want),
	    "%s: there is no such file; list the load balancers in it, or leave -F out", path);
	ok(!balancers_find(&b, path, &a, why), "and a missing one");
	is_str(why, want, "in these words");
}

/* What the balancer does with its end of the connection. */
struct doing {
	const uint8_t *octets;
	size_t n, pieces; /* so many octets in each write */
	bool closes;
};

static struct sandbox walls = {.role = SANDBOX_RECEIVER, .user = NOBODY, .group = NOBODY};
static struct sockaddr_storage client, local;
static char why[FRONT_REASON_MAX];
static int left; /* octets that were not taken */

/* Its own process, so that the pieces come one after the other. */
static pid_t
send_all(const struct doing *d, int fd)
{
	pid_t pid = fork();
	size_t n;

	if (pid != 0)
		return pid;
	for (size_t at = 0; at < d->n; at += n) {
		n = d->n - at < d->pieces ? d->n - at : d->pieces;
		if (write(fd, d->octets + at, n) != (ssize_t)n)
			break;
		(void)usleep(200);
	}
	if (!d->closes)
		(void)pause();
	_exit(0);
}

static enum front_outcome
reads(const char *from, const struct doing *d)
{
	enum front_outcome outcome;
	int ends[2];
	pid_t pid;

	client = address(from, 40000);
	local = address(strchr(from, ':') != NULL ? "::1" : "127.0.0.1", 25);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 ||
	    dup2(ends[0], STDIN_FILENO) < 0)
		bail("socketpair");
	(void)close(ends[0]);
	pid = send_all(d, ends[1]);
	(void)close(ends[1]);
	why[0] = '\0';
	outcome = front_read(&walls, &client, &local, why);
	if (d->closes)
		(void)waitpid(pid, NULL, 0);
	if (ioctl(STDIN_FILENO, FIONREAD, &left) != 0)
		left = -1;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return outcome;
}

static size_t
header(uint8_t out[PROXY2_MAX], const char *from, const char *to)
{
	const struct sockaddr_storage a = address(from, 40001), b = address(to, 25);

	return proxy2_build(out, &a, &b);
}

/* The header of a connection from there, brought by the balancer at `by`: whose it is then. */
static void
learns(const char *by, const char *from, const char *to, const char *want_client,
    const char *want_local)
{
	uint8_t octets[PROXY2_MAX + 6];
	struct doing d = {octets, header(octets, from, to), sizeof(octets), true};

	memcpy(octets + d.n, "QUIT\r\n", 6);
	d.n += 6;
	is_int(reads(by, &d), FRONT_CLIENT, "%s brings %s: taken", by, from);
	is_str(as_text(&client), want_client, "the client");
	is_str(as_text(&local), want_local, "and where it connected to");
	is_int(left, 6, "what follows is left for the dialogue");
}

static void
refuses(const char *by, const uint8_t *octets, size_t n, const char *want, const char *name)
{
	const struct doing d = {octets, n, n, true};
	const struct sockaddr_storage was = address(by, 40000);

	is_int(reads(by, &d), FRONT_REFUSED, "%s", name);
	is_str(why, want, "in these words");
	ok(memcmp(&client, &was, sizeof(was)) == 0, "and nothing was learnt");
}

static void
test_clients(void)
{
	uint8_t octets[PROXY2_MAX];
	const size_t n = header(octets, "127.0.0.1", "192.0.2.25");
	const size_t six = header((uint8_t[PROXY2_MAX]){0}, "::1", "2001:db8::25");

	learns("198.51.100.1", "192.0.2.1", "192.0.2.25", "192.0.2.1:40001", "192.0.2.25:25");
	learns("198.51.100.1", "2001:db8::1", "2001:db8::25", "[2001:db8::1]:40001",
	    "[2001:db8::25]:25");
	learns("2001:db8::f", "192.0.2.1", "192.0.2.25", "192.0.2.1:40001", "192.0.2.25:25");
	learns("198.51.100.1", "::ffff:192.0.2.1", "::ffff:192.0.2.25", "192.0.2.1:40001",
	    "192.0.2.25:25");
	learns("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2:40001", "127.0.0.1:25");
	learns("127.0.0.1", "::1", "::1", "[::1]:40001", "[::1]:25");
	refuses("198.51.100.1", octets, n, "the header has a loopback address for the client's",
	    "who is at another host is not on this one");
	(void)header(octets, "::1", "2001:db8::25");
	refuses("2001:db8::f", octets, six,
	    "the header has a loopback address for the client's", "nor by IPv6");
	(void)header(octets, "::ffff:127.0.0.1", "::ffff:192.0.2.25");
	refuses("2001:db8::f", octets, six,
	    "the header has a loopback address for the client's", "nor by a v4-mapped one");
	(void)header(octets, "::ffff:192.0.2.1", "2001:db8::25");
	refuses("2001:db8::f", octets, six, "the header's addresses are no pair",
	    "a client and a host of two families");
}

/* The kernel would put an address of this host in the place of most of them. */
static void
test_nobody(void)
{
	static const char *const four[] = {
	    "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "255.255.255.255"};
	static const char *const six[] = {"::", "ff02::1", "ff0e::1"};
	static const char *const mapped[] = {
	    "::ffff:0.0.0.0", "::ffff:224.0.0.1", "::ffff:255.255.255.255"};
	static const char *const balancer[] = {"198.51.100.1", "127.0.0.1"};
	const char *by, *want = "the header has an address for the client's that no host has";
	uint8_t octets[PROXY2_MAX];
	size_t n;

	for (size_t i = 0; i < 2; i++) {
		by = balancer[i];
		for (size_t k = 0; k < sizeof(four) / sizeof(*four); k++) {
			n = header(octets, four[k], "192.0.2.25");
			refuses(by, octets, n, want, four[k]);
		}
		for (size_t k = 0; k < sizeof(six) / sizeof(*six); k++) {
			n = header(octets, six[k], "2001:db8::25");
			refuses(by, octets, n, want, six[k]);
		}
		for (size_t k = 0; k < sizeof(mapped) / sizeof(*mapped); k++) {
			n = header(octets, mapped[k], "::ffff:192.0.2.25");
			refuses(by, octets, n, want, mapped[k]);
		}
	}
}

static void
test_octets(void)
{
	uint8_t octets[PROXY2_MAX + 1];
	const size_t n = header(octets, "192.0.2.1", "192.0.2.25");
	struct doing d = {octets, n, 1, true};
	uint8_t most[PROXY2_MOST + 1] = SIGNATURE "\x21\x11\x02\x08";
	unsigned wrong = 0, faults = 0;

	is_int(reads("198.51.100.1", &d), FRONT_CLIENT, "octet by octet");
	for (d.n = 1; d.n < n; d.n++)
		faults += reads("198.51.100.1", &d) != FRONT_REFUSED ||
			  strcmp(why, "the connection ended amid the header") != 0;
	is_int(faults, 0, "it is refused wherever it is cut off");
	for (size_t i = 0; i < 16; i++) {
		uint8_t bad[PROXY2_MAX];

		memcpy(bad, octets, n);
		bad[i] ^= 0x40;
		d = (struct doing){bad, n, n, true};
		wrong += reads("198.51.100.1", &d) != FRONT_REFUSED;
	}
	is_int(wrong, 0, "and where an octet of its fixed part is another");
	memcpy(most + 16, octets + 16, n - 16);
	d = (struct doing){most, sizeof(most), sizeof(most), true};
	is_int(reads("198.51.100.1", &d), FRONT_CLIENT, "as long as can be");
	is_int(left, 1, "and no octet more is taken");
	most[15]++;
	refuses("198.51.100.1", most, sizeof(most),
	    "no PROXY header of version 2 with TCP addresses", "longer: refused");
	refuses("198.51.100.1", (const uint8_t *)"EHLO x\r\n", 8,
	    "no PROXY header of version 2 with TCP addresses", "SMTP");
	refuses("198.51.100.1", (const uint8_t *)"PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n", 37,
	    "no PROXY header of version 2 with TCP addresses", "version 1");
}

static void
test_others(void)
{
	struct doing d = {(const uint8_t *)LOCAL "EHLO x\r\n", sizeof(LOCAL) - 1 + 8, 99, true};
	int64_t began;

	is_int(reads("198.51.100.1", &d), FRONT_CHECK, "LOCAL");
	is_str(as_text(&client), "198.51.100.1:40000", "the client is the balancer");
	is_str(as_text(&local), "127.0.0.1:25", "connected to where it is");
	is_int(left, 8, "what follows is left for the dialogue");
	d = (struct doing){NULL, 0, 1, true};
	is_int(reads("198.51.100.1", &d), FRONT_GONE, "closed without an octet");
	d = (struct doing){(const uint8_t *)SIGNATURE, 12, 12, false};
	began = clock_ms();
	is_int(reads("198.51.100.1", &d), FRONT_REFUSED, "half a header, and then nothing");
	is_str(why, "no PROXY header in time", "in these words");
	began = clock_ms() - began;
	ok(began >= FRONT_SECONDS * 1000 && began < FRONT_SECONDS * 3000,
	    "after %d s (%lld ms)", FRONT_SECONDS, (long long)began);
	walls.root = -1;
	is_int(reads("198.51.100.1", &d), FRONT_REFUSED, "without its walls nothing is read");
	is_str(why, "what reads the header died", "in these words");
	is_int(left, 12, "not one octet");
}

int
main(void)
{
	char directory[] = "/tmp/blackpony-1k.XXXXXX", reason[SANDBOX_REASON_MAX];

	(void)signal(SIGPIPE, SIG_IGN);
	test_file();
	if (geteuid() != 0) {
		diag("the rest needs root");
		return tap_done();
	}
	if (mkdtemp(directory) == NULL || (walls.root = sandbox_root(directory, reason)) < 0)
		bail("no empty directory");
	test_clients();
	test_nobody();
	test_octets();
	test_others();
	(void)rmdir(directory);
	return tap_done();
}
