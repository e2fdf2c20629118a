/*
 * 41-slots - receiver/slots: who comes at the same instant as many others is counted exactly; a
 * killed process has freed its slot; what nobody holds any more counts for nothing; a file that
 * others could have made is refused.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "receiver/slots.h"
#include "tap.h"

#define CROWD 60

static char path[64];

static struct sockaddr_storage
address(const char *text)
{
	struct sockaddr_storage a;
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		memcpy(&a, &four, sizeof(four));
	else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
		memcpy(&a, &six, sizeof(six));
	else
		bail("%s is no address", text);
	return a;
}

/* Children that all try at once, and then hold what they have until they are killed. */
struct crowd {
	pid_t pid[CROWD];
	int results, go;
	unsigned count;
	unsigned got[SLOTS_FAULT + 1];
};

static _Noreturn void
member(const struct sockaddr_storage *client, unsigned all, unsigned each, int go, int results)
{
	char why[SLOTS_REASON_MAX], result;
	struct slots s;

	if (read(go, &result, 1) != 0)
		_exit(1);
	result = slots_open(&s, path, why) ? (char)slots_take(&s, all, each, client, why)
					   : (char)SLOTS_FAULT;
	if (write(results, &result, 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void
crowd_come(struct crowd *c, unsigned count, const char *from, unsigned all, unsigned each)
{
	const struct sockaddr_storage client = address(from);
	int go[2], results[2];
	char result;

	memset(c, 0, sizeof(*c));
	c->count = count;
	if (pipe(go) != 0 || pipe(results) != 0)
		bail("pipe");
	for (unsigned i = 0; i < count; i++)
		if ((c->pid[i] = fork()) == 0) {
			(void)close(go[1]);
			member(&client, all, each, go[0], results[1]);
		} else if (c->pid[i] < 0) {
			bail("fork");
		}
	(void)close(go[0]);
	(void)close(go[1]); /* now */
	for (unsigned i = 0; i < count; i++) {
		if (read(results[0], &result, 1) != 1)
			bail("a member is lost");
		c->got[(int)result]++;
	}
	(void)close(results[0]);
	(void)close(results[1]);
}

static void
crowd_die(struct crowd *c)
{
	for (unsigned i = 0; i < c->count; i++)
		(void)kill(c->pid[i], SIGKILL);
	for (unsigned i = 0; i < c->count; i++)
		(void)waitpid(c->pid[i], NULL, 0);
}

static unsigned
taken(void)
{
	char why[SLOTS_REASON_MAX];
	struct slots s;
	unsigned n;

	if (!slots_open(&s, path, why))
		bail("%s", why);
	n = slots_count(&s);
	slots_close(&s);
	return n;
}

static void
test_crowds(void)
{
	struct crowd one, two;

	for (int round = 0; round < 5; round++) {
		crowd_come(&one, CROWD, "192.0.2.1", 100, 7);
		is_int(one.got[SLOTS_TAKEN], 7, "7 of %d at the same instant, round %d", CROWD,
		    round);
		is_int(one.got[SLOTS_ADDRESS], CROWD - 7, "the others are told of the address");
		crowd_die(&one);
		is_int(taken(), 0, "none when they were killed");
	}
	crowd_come(&one, CROWD, "192.0.2.1", 40, 0);
	is_int(one.got[SLOTS_TAKEN], 40, "40 in all");
	is_int(one.got[SLOTS_ALL], CROWD - 40, "the others are told of that");
	crowd_come(&two, 3, "192.0.2.1", 50, 10);
	is_int(two.got[SLOTS_ADDRESS], 3, "those of another limit count as well");
	crowd_die(&two);
	crowd_die(&one);

	/* Their records are still there, and nobody holds them. */
	crowd_come(&one, 10, "192.0.2.1", 100, 10);
	is_int(one.got[SLOTS_TAKEN], 10, "records of the dead count for nothing");
	crowd_come(&two, 40, "192.0.2.2", 50, 40);
	is_int(two.got[SLOTS_TAKEN], 40, "nor for another address");
	crowd_die(&one);
	crowd_die(&two);
}

static void
test_addresses(void)
{
	static const struct {
		const char *first, *second;
		bool same;
	} pairs[] = {{"192.0.2.1", "192.0.2.1", true}, {"192.0.2.1", "192.0.2.2", false},
	    {"2001:db8::1", "2001:db8::ffff:1", true},
	    {"2001:db8::1", "2001:db8:0:1::1", false}, {"192.0.2.1", "c000:201::", false},
	    {"127.0.0.1", "127.0.0.1", false}, {"127.0.0.1", "127.1.2.3", false},
	    {"::1", "::1", false}};
	struct crowd one, two;

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		crowd_come(&one, 1, pairs[i].first, 100, 1);
		crowd_come(&two, 1, pairs[i].second, 100, 1);
		is_int(two.got[SLOTS_TAKEN], !pairs[i].same, "%s and %s", pairs[i].first,
		    pairs[i].second);
		crowd_die(&one);
		crowd_die(&two);
	}
}

/* Others have the head all the time, or a stopped one has it; nobody waits for it without end,
 * and who could hold it by numbers shall not be let in for it. */
static void
test_stopped(void)
{
	struct flock head = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 32};
	const struct sockaddr_storage client = address("192.0.2.1");
	char why[SLOTS_REASON_MAX] = "";
	struct slots s;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &head) != 0 || !slots_open(&s, path, why))
		bail("%s", path);
	is_int(slots_take(&s, 10, 10, &client, why), SLOTS_ALL,
	    "where a turn does not come in 2 s, there are too many of us");
	is_str(
	    why, "slots: cannot be locked: Resource temporarily unavailable", "not for ever");
	is_int((int)slots_refusals(&s, 0, 1), 1, "a refusal is told, then, each time");
	(void)close(fd);
	is_int(slots_take(&s, 10, 10, &client, why), SLOTS_TAKEN, "and then we go on");
	slots_close(&s);
}

static void
test_refusals(void)
{
	char why[SLOTS_REASON_MAX];
	struct slots s;

	(void)unlink(path);
	if (!slots_open(&s, path, why))
		bail("%s", why);
	is_int((int)slots_refusals(&s, 0, 1000), 1, "the first refusal is told");
	is_int((int)slots_refusals(&s, 0, 2000), 0, "not the second");
	is_int((int)slots_refusals(&s, 1, 2000), 1, "but the first of another kind");
	is_int((int)slots_refusals(&s, 0, 60999), 0, "nor the third");
	is_int((int)slots_refusals(&s, 0, 61000), 3, "three more a minute later");
	is_int((int)slots_refusals(&s, 0, 61001), 0, "and again");
	is_int((int)slots_refusals(&s, 0, 10), 1, "another start of the machine");
	slots_close(&s);
}

/* What slots_open() says of it, "" when it takes it. */
static const char *
opens(void)
{
	static char why[SLOTS_REASON_MAX];
	struct slots s;

	if (!slots_open(&s, path, why))
		return strchr(why, ':') + 2;
	slots_close(&s);
	return "";
}

static void
test_files(const char *directory)
{
	struct stat st;
	mode_t before = umask(0);

	(void)unlink(path);
	(void)rmdir(directory);
	is_str(opens(), "", "nothing there: made");
	ok(stat(directory, &st) == 0 && (st.st_mode & 07777) == 0755, "the directory");
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "the file");
	(void)chmod(path, 0640);
	is_str(
	    opens(), "must be a file of root's with mode 0600", "a file that others may read");
	(void)unlink(path);
	if (symlink("/etc/passwd", path) != 0)
		bail("symlink");
	is_str(opens(), "cannot be opened: Too many levels of symbolic links", "a link");
	(void)unlink(path);
	(void)mkfifo(path, 0600);
	is_str(opens(), "must be a file of root's with mode 0600", "a FIFO");
	(void)unlink(path);
	(void)chmod(directory, 0777);
	is_str(opens(), "must be root's, and nobody else's to write", "an open directory");
	(void)chmod(directory, 0755);
	if (geteuid() == 0) {
		if (chown(directory, 65534, 65534) != 0)
			bail("chown");
		is_str(opens(), "must be root's, and nobody else's to write",
		    "another's directory");
		if (chown(directory, 0, 0) != 0)
			bail("chown");
	}
	(void)umask(before);
}

int
main(void)
{
	char directory[] = "/tmp/slots.XXXXXX/run";

	directory[17] = '\0';
	if (mkdtemp(directory) == NULL)
		bail("mkdtemp");
	directory[17] = '/';
	(void)snprintf(path, sizeof(path), "%s/slots", directory);
	test_files(directory);
	test_crowds();
	test_addresses();
	test_stopped();
	test_refusals();
	(void)unlink(path);
	(void)rmdir(directory);
	directory[17] = '\0';
	(void)rmdir(directory);
	return tap_done();
}
