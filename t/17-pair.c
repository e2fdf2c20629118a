/*
 * 17-pair - receiver/pair and netns: both ends of the pair have exactly the addresses asked
 * for, or there is no pair; and whatever happens, we are back in our own network namespace with
 * nothing left open. Everything with a fresh namespace, and again with the one that is kept; in
 * a mount and a process namespace of the test's own, with which the kept one goes.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "receiver/pair.h"
#include "tap.h"

#define ROW 100

/* The file of the namespace that is kept; NULL: a fresh one each time. */
static const char *kept;
static char room[] = "/tmp/pair.XXXXXX", file[64];

static struct sockaddr_storage
v4(const char *text, in_port_t port)
{
	struct sockaddr_storage a;
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET, text, &four.sin_addr) != 1)
		abort();
	memcpy(&a, &four, sizeof(four));
	return a;
}

static struct sockaddr_storage
v6(const char *text, in_port_t port, unsigned int scope)
{
	struct sockaddr_storage a;
	struct sockaddr_in6 six = {
	    .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = scope};

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET6, text, &six.sin6_addr) != 1)
		abort();
	memcpy(&a, &six, sizeof(six));
	return a;
}

static const char *
home(void)
{
	static char text[64];
	ssize_t n = readlink("/proc/self/ns/net", text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n;
}

static bool
address_is(
    int (*ask)(int, struct sockaddr *, socklen_t *), int fd, struct sockaddr_storage wanted)
{
	struct sockaddr_storage found;
	socklen_t n = sizeof(found);
	char text[PAIR_ADDRESS_MAX];

	memset(&found, 0, sizeof(found));
	if (ask(fd, (struct sockaddr *)&found, &n) == -1 || !pair_normalise(&found))
		return false;
	pair_format(&found, text, sizeof(text));
	if (memcmp(&found, &wanted, sizeof(found)) == 0)
		return true;
	printf("# found %s\n", text);
	return false;
}

static bool
passes(int from, int to)
{
	char text[8] = "";

	return write(from, "sesame", 6) == 6 && read(to, text, sizeof(text)) == 6 &&
	       strcmp(text, "sesame") == 0;
}

static void
test_flags(const int fds[2])
{
	int i, on;
	socklen_t n = sizeof(on);

	for (i = 0; i < 2; i++) {
		on = 0;
		ok((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0, "end %d is close-on-exec", i);
		ok((fcntl(fds[i], F_GETFL) & O_NONBLOCK) == 0, "end %d blocks", i);
		ok(getsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, &n) == 0 && on != 0,
		    "end %d has TCP_NODELAY", i);
	}
}

static void
test_made(const char *name, struct sockaddr_storage client, struct sockaddr_storage local)
{
	char before[64], why[160] = "", one;
	int fds[2], files = open_fds();

	snprintf(before, sizeof(before), "%s", home());
	if (!ok(pair_make(&client, &local, kept, fds, why, sizeof(why)), "%s: made", name)) {
		printf("# %s\n", why);
		return;
	}
	ok(strcmp(before, home()) == 0, "%s: back in our own namespace", name);
	ok(open_fds() == files + 2, "%s: two descriptors and no more", name);
	ok(address_is(getpeername, fds[PAIR_SERVER], client) &&
		address_is(getsockname, fds[PAIR_SERVER], local),
	    "%s: the back end's end has the true client and the true server", name);
	ok(address_is(getsockname, fds[PAIR_CLIENT], client) &&
		address_is(getpeername, fds[PAIR_CLIENT], local),
	    "%s: our end has them the other way round", name);
	ok(passes(fds[0], fds[1]) && passes(fds[1], fds[0]), "%s: octets pass both ways", name);
	test_flags(fds);
	close(fds[PAIR_CLIENT]);
	ok(read(fds[PAIR_SERVER], &one, 1) == 0, "%s: the end of one is seen by the other",
	    name);
	close(fds[PAIR_SERVER]);
}

static void
test_refused(const char *name, struct sockaddr_storage client, struct sockaddr_storage local)
{
	char before[64], why[160] = "";
	int fds[2] = {0, 0}, files = open_fds();

	snprintf(before, sizeof(before), "%s", home());
	ok(!pair_make(&client, &local, kept, fds, why, sizeof(why)) && fds[0] == -1 &&
		fds[1] == -1,
	    "%s: refused", name);
	ok(why[0] != '\0', "%s: why: %s", name, why);
	ok(open_fds() == files && strcmp(before, home()) == 0,
	    "%s: nothing left open, back in our own namespace", name);
}

static void
test_refusals(void)
{
	struct sockaddr_storage here = v4("198.51.100.1", 25), here6 = v6("2001:db8::2", 25, 0);
	struct sockaddr_storage local = {.ss_family = AF_UNIX};

	test_refused("multicast client", v4("224.0.0.1", 4000), here);
	test_refused("IPv6 multicast client", v6("ff02::1", 4000, 0), here6);
	test_refused("broadcast client", v4("255.255.255.255", 4000), here);
	test_refused("client 0.0.0.0", v4("0.0.0.0", 4000), here);
	test_refused("client ::", v6("::", 4000, 0), here6);
	test_refused("local 0.0.0.0", v4("192.0.2.1", 4000), v4("0.0.0.0", 25));
	test_refused("local ::", v6("2001:db8::1", 4000, 0), v6("::", 25, 0));
	test_refused("local multicast", v4("192.0.2.1", 4000), v4("224.0.0.1", 25));
	test_refused("client port 0", v4("192.0.2.1", 0), here);
	test_refused("local port 0", v4("192.0.2.1", 4000), v4("198.51.100.1", 0));
	test_refused("client and server are one socket", here, here);
	test_refused("two families", v4("192.0.2.1", 4000), here6);
	test_refused("no TCP", local, local);
	test_refused("v4-mapped, not normalised", v6("::ffff:192.0.2.1", 4000, 0),
	    v6("::ffff:198.51.100.1", 25, 0));
	test_refused("link-local of a device that lo is not", v6("fe80::1", 4000, 77),
	    v6("fe80::2", 25, 77));
	test_refused(
	    "link-local without a scope", v6("fe80::1", 4000, 0), v6("fe80::2", 25, 0));
}

static void
test_normalise(void)
{
	struct sockaddr_storage a = v6("::ffff:192.0.2.1", 4000, 0), b = v4("192.0.2.1", 4000);
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_flowinfo = 1};
	char text[PAIR_ADDRESS_MAX];

	ok(pair_normalise(&a) && memcmp(&a, &b, sizeof(a)) == 0, "v4-mapped becomes IPv4");
	pair_format(&a, text, sizeof(text));
	ok(strcmp(text, "192.0.2.1:4000") == 0, "and is written so");
	a = b = v6("2001:db8::1", 25, 0);
	((char *)&a)[sizeof(a) - 1] = 'x';
	ok(pair_normalise(&a) && memcmp(&a, &b, sizeof(a)) == 0,
	    "octets behind it are cleared");
	pair_format(&a, text, sizeof(text));
	ok(strcmp(text, "[2001:db8::1]:25") == 0, "IPv6 is written in brackets");
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	memcpy(&a, &six, sizeof(six));
	b.ss_family = AF_INET6;
	ok(pair_normalise(&a) && memcmp(&a, &b, sizeof(a)) == 0, "the flow label is cleared");
	a.ss_family = AF_UNIX;
	ok(!pair_normalise(&a), "another family is refused");
	a = v6("::ffff:0:192.0.2.1", 25, 0);
	ok(pair_normalise(&a) && a.ss_family == AF_INET6, "translated is not mapped");
}

static double
milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
test_row(void)
{
	struct sockaddr_storage local = v4("198.51.100.1", 25), client;
	int files = open_fds(), fds[2], made = 0, i;
	double begin = milliseconds();
	char why[160];

	for (i = 0; i < ROW; i++) {
		client = v4("192.0.2.1", (in_port_t)(4000 + i % 2));
		if (!pair_make(&client, &local, kept, fds, why, sizeof(why)))
			break;
		made++;
		close(fds[0]);
		close(fds[1]);
	}
	printf("# %d pairs in %.0f ms\n", made, milliseconds() - begin);
	ok(made == ROW, "%d in a row, the same two ports over and over", ROW);
	ok(open_fds() == files, "none left open");
}

/* Two that are the same at one time: each has a namespace of its own. */
static void
test_twins(void)
{
	struct sockaddr_storage client = v4("192.0.2.1", 4000), local = v4("198.51.100.1", 25);
	int one[2], two[2];
	char why[160];

	ok(pair_make(&client, &local, kept, one, why, sizeof(why)) &&
		pair_make(&client, &local, kept, two, why, sizeof(why)) &&
		passes(one[0], one[1]) && passes(two[0], two[1]),
	    "the same pair twice at one time");
	close(one[0]);
	close(one[1]);
	close(two[0]);
	close(two[1]);
}

static void
test_unprivileged(void)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (setgid(65534) == -1 || setuid(65534) == -1)
			_exit(2);
		test_refused(
		    "without CAP_SYS_ADMIN", v4("192.0.2.1", 4000), v4("198.51.100.1", 25));
		_exit(tap.failed == 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	tap.run += 3; /* the child's lines are among ours */
	tap.failed += status != 0;
}

static void
test_all(void)
{
	test_made("IPv4", v4("192.0.2.1", 40000), v4("198.51.100.1", 25));
	test_made("IPv6", v6("2001:db8::1", 40000, 0), v6("2001:db8::2", 25, 0));
	test_made("IPv4 loopback", v4("127.0.0.1", 40000), v4("127.0.0.1", 25));
	test_made("IPv6 loopback", v6("::1", 40000, 0), v6("::1", 25, 0));
	test_made("a host that mails itself", v4("192.0.2.1", 40000), v4("192.0.2.1", 25));
	test_made("one port on both sides", v4("192.0.2.1", 25), v4("198.51.100.1", 25));
	test_made(
	    "one port on both sides, IPv6", v6("2001:db8::1", 25, 0), v6("2001:db8::2", 25, 0));
	test_made("a privileged client port", v4("192.0.2.1", 1), v4("198.51.100.1", 25));
	test_made("a reserved address", v4("240.0.0.1", 65535), v4("198.51.100.1", 25));
	test_made(
	    "loopback to a public address", v4("127.0.0.1", 4000), v4("198.51.100.1", 25));
	test_refusals();
	test_row();
	test_twins();
	test_unprivileged();
}

static ino_t
inode(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* In which namespace are the ends of a pair: the kernel tells by the socket itself. */
static ino_t
namespace_of(int fd)
{
	int namespace = ioctl(fd, SIOCGSKNS);
	struct stat st;
	bool known = namespace >= 0 && fstat(namespace, &st) == 0;

	if (namespace >= 0)
		close(namespace);
	return known ? st.st_ino : 0;
}

/* In which a pair is made; port 0: a pair of addresses that we have at home as well. */
static ino_t
pair_namespace(in_port_t port)
{
	const char *address = port == 0 ? "127.0.0.1" : "192.0.2.1";
	struct sockaddr_storage client = v4(address, port == 0 ? 47001 : port),
				local = v4(port == 0 ? address : "198.51.100.1",
				    port == 0 ? 47002 : 25);
	ino_t found = 0;
	char why[160];
	int fds[2];

	if (!pair_make(&client, &local, kept, fds, why, sizeof(why)))
		return 0;
	if (namespace_of(fds[0]) == namespace_of(fds[1]))
		found = namespace_of(fds[0]);
	close(fds[0]);
	close(fds[1]);
	return found;
}

/* To another namespace like it. */
static void
test_link(void)
{
	char real[64], lock[80];

	snprintf(real, sizeof(real), "%s/real", room);
	kept = real;
	ok(pair_namespace(5008) == inode(real), "kept at another place");
	kept = file;
	unlink(file);
	ok(symlink(real, file) == 0 && pair_namespace(5009) != 0 &&
		pair_namespace(5009) != inode(real),
	    "a link to it is not followed");
	unlink(file);
	umount2(real, MNT_DETACH);
	unlink(real);
	snprintf(lock, sizeof(lock), "%s.lock", real);
	unlink(lock);
}

static void
test_kept(void)
{
	const ino_t first = inode(file);
	struct sockaddr_storage client = v4("192.0.2.1", 5000), local = v4("198.51.100.1", 25);
	char lock[80], why[160];
	int fds[2], other;

	ok(first != 0 && pair_namespace(5001) == first && pair_namespace(5002) == first,
	    "pairs are in the one that is kept");
	ok(first != inode("/proc/self/ns/net"), "which is not our own");
	ok(pair_make(&client, &local, kept, fds, why, sizeof(why)) &&
		namespace_of(fds[0]) == first && pair_namespace(5000) != first,
	    "where a pair is there already, its twin is in another");
	close(fds[0]);
	close(fds[1]);
	snprintf(lock, sizeof(lock), "%s.lock", file);
	other = open(lock, O_RDWR);
	ok(other >= 0 && flock(other, LOCK_EX) == 0 && pair_namespace(5003) != first,
	    "who finds it taken does not wait long, and has a fresh one");
	close(other);
	ok(pair_namespace(5003) == first, "it is free again");
	ok(umount2(file, MNT_DETACH) == 0 && pair_namespace(5004) != first &&
		inode(file) != first && pair_namespace(5005) == inode(file),
	    "one that was taken away is made anew");
	umount2(file, MNT_DETACH);
	ok(mount("/proc/self/ns/net", file, NULL, MS_BIND, NULL) == 0 &&
		pair_namespace(0) != inode("/proc/self/ns/net") && pair_namespace(0) != 0,
	    "our own in its place is not taken for it");
	umount2(file, MNT_DETACH);
	umount2(file, MNT_DETACH);
	test_link();
}

/* A session with mounts of its own, beside those of process 1. True: its pairs are in the
 * namespace that is expected; 0: in a fresh one, and nothing is left on the file. */
static bool
has_with_own_mounts(ino_t expected)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		ino_t found, empty = inode(file);

		if (unshare(CLONE_NEWNS) != 0)
			_exit(2);
		found = pair_namespace(5010);
		_exit(expected != 0
			  ? found != expected
			  : found == 0 || found == inode(file) || inode(file) != empty);
	}
	waitpid(pid, &status, 0);
	return status == 0;
}

static void
test_prepared(void)
{
	ino_t first;

	kept = file;
	close(open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0400));
	ok(has_with_own_mounts(0), "with mounts of one's own none is kept");
	ok(pair_keep(file), "one is made beforehand");
	first = inode(file);
	ok(has_with_own_mounts(first), "with mounts of one's own that one is used");
	ok(pair_keep(file) && inode(file) == first, "it is not made twice");
	umount2(file, MNT_DETACH);
	unlink(file);
	ok(!pair_keep("/nonexistent/net"), "where there is no room, none is made");
}

/* The first process of namespaces of its own. */
static int
run(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) != 0 || mkdtemp(room) == NULL)
		bail("no room of our own: %s", strerror(errno));
	snprintf(file, sizeof(file), "%s/net", room);
	test_normalise();
	test_all();
	kept = file;
	test_all();
	test_kept();
	test_prepared();
	snprintf(file, sizeof(file), "%s/net.lock", room);
	unlink(file);
	ok(rmdir(room) == 0, "nothing is left");
	return tap_done();
}

int
main(void)
{
	int status = -1;
	pid_t pid;

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root, for network namespaces\n");
		return 0;
	}
	if (unshare(CLONE_NEWNS | CLONE_NEWPID) != 0)
		bail("no namespaces: %s", strerror(errno));
	if ((pid = fork()) == 0)
		exit(run());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
