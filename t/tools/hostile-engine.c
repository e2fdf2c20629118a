/*
 * hostile-engine - an engine that was taken over, in the place of lib/relay.c: the programs
 * t/tools/hostile-receiver and hostile-mailer are the true mains, monitors and sandbox, linked
 * with this. It is in nothing that is installed. For t/30-hostile-*.sh.
 *
 * It takes orders, a line each, where the engine hears the network (receiver) or the MTA
 * (mailer), and says what came of each in one line that looks like an SMTP reply:
 *
 *   WORD [ARGUMENT]      one of attempts[]: "250 WORD done", or the name of the errno
 *   ask KIND [WORD=...]  a request to the monitor: "250 granted ...", "250 refused ...", or
 *                        "250 monitor gone"
 *   raw OCTETS           a packet of so many octets that is no request
 *   pass COUNT           a request with so many descriptors
 *   flood COUNT          so many requests, and no answer is read
 *   leave                closes the request socket and stays
 *
 * Linked with no-sandbox.c instead of lib/sandbox.c as well, the programs are open-receiver and
 * open-mailer: what an attempt does where nothing stops it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/relay.h"
#include "lib/request.h"

#define LINE 1024
#define HOG 268435456 /* octets */

/* The monitor's copy lies at the same address: there was a fork, and no exec. */
static char marker[16] = "the marker";

/* An intruder would guess it. */
static pid_t monitor;

__attribute__((constructor)) static void
remember_monitor(void)
{
	monitor = getpid();
}

struct attempt {
	const char *word;
	long (*make)(const char *argument); /* -1 with errno */
};

static long
try_open(const char *path)
{
	return open(path, O_RDONLY);
}

static long
try_create(const char *path)
{
	return open(path, O_WRONLY | O_CREAT, 0600);
}

static long
try_mkdir(const char *path)
{
	return mkdir(path, 0700);
}

static long
try_inet(const char *unused)
{
	(void)unused;
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long
try_unix(const char *unused)
{
	(void)unused;
	return socket(AF_UNIX, SOCK_DGRAM, 0);
}

/* On a descriptor that is there: AF_UNSPEC would loosen it for another host. */
static long
try_connect(const char *unused)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	(void)unused;
	return connect(0, &nowhere, sizeof(nowhere)) == 0 || errno == ENOTSOCK ? 0 : -1;
}

static long
try_fork(const char *unused)
{
	pid_t pid = fork();

	(void)unused;
	if (pid == 0)
		_exit(0);
	return pid;
}

static long
try_root(const char *unused)
{
	(void)unused;
	return setuid(0);
}

static long
try_mode(const char *path)
{
	return chmod(path, 0777);
}

static long
try_executable(const char *unused)
{
	(void)unused;
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0) == MAP_FAILED
		   ? -1
		   : 0;
}

static long
try_memory(const char *unused)
{
	(void)unused;
	return mmap(NULL, HOG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		       MAP_FAILED
		   ? -1
		   : 0;
}

static long
try_descriptors(const char *unused)
{
	int fd = 0, n;

	(void)unused;
	for (n = 0; fd >= 0 && n < 16; n++)
		fd = fcntl(0, F_DUPFD, 0);
	return fd;
}

static long
try_dumpable(const char *unused)
{
	(void)unused;
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long
try_limit(const char *unused)
{
	const struct rlimit lower = {1, 1};

	(void)unused;
	return setrlimit(RLIMIT_CPU, &lower) == 0 ? 0 : -1;
}

static long
try_owner(const char *unused)
{
	(void)unused;
	return fcntl(0, F_SETOWN, monitor);
}

static long
try_ptrace(const char *unused)
{
	(void)unused;
	return ptrace(PTRACE_SEIZE, monitor, NULL, NULL);
}

static long
try_read_memory(const char *unused)
{
	char got[sizeof(marker)] = "";
	struct iovec here = {got, sizeof(got)}, there = {marker, sizeof(marker)};

	(void)unused;
	if (process_vm_readv(monitor, &here, 1, &there, 1, 0) < 0)
		return -1;
	return strcmp(got, marker) == 0 ? 0 : -1;
}

static long
try_write_memory(const char *unused)
{
	struct iovec here = {marker, sizeof(marker)}, there = {marker, sizeof(marker)};

	(void)unused;
	return process_vm_writev(monitor, &here, 1, &there, 1, 0);
}

static long
try_kill(const char *unused)
{
	(void)unused;
	return kill(monitor, 0);
}

static long
try_thread_kill(const char *unused)
{
	(void)unused;
	return syscall(SYS_tgkill, monitor, monitor, 0);
}

static long
try_process(const char *unused)
{
	(void)unused;
	return syscall(SYS_pidfd_open, monitor, 0);
}

static long
try_exec(const char *path)
{
	char *const argv[] = {(char[]){"x"}, NULL};

	return execve(path, argv, argv + 1);
}

static long
try_chroot(const char *path)
{
	return chroot(path);
}

static long
try_unshare(const char *unused)
{
	(void)unused;
	return unshare(CLONE_FILES);
}

static long
try_namespace(const char *unused)
{
	(void)unused;
	return setns(-1, 0);
}

static long
try_mount(const char *path)
{
	return mount("none", path, "tmpfs", 0, NULL);
}

static long
try_bpf(const char *unused)
{
	union bpf_attr attribute;

	(void)unused;
	memset(&attribute, 0, sizeof(attribute));
	return syscall(SYS_bpf, BPF_MAP_CREATE, &attribute, sizeof(attribute));
}

static long
try_ring(const char *unused)
{
	struct io_uring_params parameters;

	(void)unused;
	memset(&parameters, 0, sizeof(parameters));
	return syscall(SYS_io_uring_setup, 0, &parameters);
}

static long
try_keyring(const char *unused)
{
	(void)unused;
	return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

/* getpid by the machine's older numbering, of which no filter for the newer one knows. */
static long
try_32_bits(const char *unused)
{
	long answer = -1;

	(void)unused;
#ifdef __x86_64__
	__asm__ volatile("int $0x80"
			 : "=a"(answer)
			 : "a"(20L)
			 : "memory", "r8", "r9", "r10", "r11");
#else
	errno = ENOSYS;
#endif
	return answer;
}

static const struct attempt attempts[] = {
    {"open", try_open},
    {"create", try_create},
    {"mkdir", try_mkdir},
    {"chmod", try_mode},
    {"inet-socket", try_inet},
    {"unix-socket", try_unix},
    {"connect", try_connect},
    {"fork", try_fork},
    {"root", try_root},
    {"executable", try_executable},
    {"memory", try_memory},
    {"descriptors", try_descriptors},
    {"dumpable", try_dumpable},
    {"limit", try_limit},
    {"owner", try_owner},
    {"ptrace", try_ptrace},
    {"read-memory", try_read_memory},
    {"write-memory", try_write_memory},
    {"kill", try_kill},
    {"thread-kill", try_thread_kill},
    {"process", try_process},
    {"exec", try_exec},
    {"chroot", try_chroot},
    {"unshare", try_unshare},
    {"namespace", try_namespace},
    {"mount", try_mount},
    {"bpf", try_bpf},
    {"ring", try_ring},
    {"keyring", try_keyring},
    {"32-bits", try_32_bits},
};

static const char *const kinds[] = {
    [SESSION_ASK_DH] = "dh",
    [SESSION_ASK_PEER] = "peer",
    [SESSION_ASK_BACKEND] = "backend",
    [SESSION_ASK_HOP] = "hop",
    [SESSION_ASK_CLEAR] = "clear",
    [SESSION_TELL_DONE] = "done",
    [SESSION_TELL_SETTLED] = "settled",
    [SESSION_ASK_MAIL] = "mail",
};

/* Where orders come from, and where answers go. */
struct ear {
	int in, out, monitor;
};

__attribute__((format(printf, 2, 3))) static void
say(const struct ear *e, const char *format, ...)
{
	char line[LINE + 8];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, LINE, format, ap);
	va_end(ap);
	if (n > LINE - 1)
		n = LINE - 1;
	memcpy(line + n, "\r\n", 2);
	if (write(e->out, line, (size_t)n + 2) < 0)
		_exit(1);
}

/* One line without its end; false when there is no more. */
static bool
hear(const struct ear *e, char line[LINE])
{
	struct pollfd p = {.fd = e->in, .events = POLLIN};
	size_t n = 0;
	ssize_t got;

	while (n < LINE - 1) {
		(void)poll(&p, 1, -1);
		if ((got = read(e->in, line + n, 1)) < 0 && errno == EAGAIN)
			continue;
		if (got <= 0)
			return false;
		if (line[n] == '\n')
			break;
		if (line[n] != '\r')
			n++;
	}
	line[n] = '\0';
	return true;
}

/* "word=value" of an ask; values are short and honest in form, but for text. */
static void
set_field(struct session_request *q, const char *word, const char *value)
{
	const int number = (int)strtol(value, NULL, 10);

	if (strcmp(word, "key") == 0)
		memset(q->key, number, sizeof(q->key));
	else if (strcmp(word, "upgraded") == 0)
		q->upgraded = (uint8_t)number;
	else if (strcmp(word, "reason") == 0)
		q->reason = (uint8_t)number;
	else if (strcmp(word, "fault") == 0)
		q->fault = (uint8_t)number;
	else if (strcmp(word, "suite") == 0)
		(void)snprintf(q->suite, sizeof(q->suite), "%s", value);
	else if (strcmp(word, "name") == 0)
		(void)snprintf(q->name, sizeof(q->name), "%s", value);
	else if (strcmp(word, "kind") == 0)
		q->kind = (uint8_t)number;
	else if (strcmp(word, "endless") == 0)
		memset(q->text, 'x', sizeof(q->text));
	else if (strcmp(word, "keys") == 0)
		q->commitment.keys = (uint32_t)number;
	else if (strcmp(word, "lies") == 0) {
		memset(&q->report.messages, 0xff, 3 * sizeof(q->report.messages));
		memset(q->report.verdict, '\n', sizeof(q->report.verdict) - 1);
		(void)snprintf(q->report.hello, sizeof(q->report.hello),
		    "x\r\nblackpony-receiver[1]: forged=\"%%n\x1b[2J");
	}
}

static void
make_request(struct session_request *q, char *words)
{
	char *word = strtok(words, " "), *value;
	size_t i;

	memset(q, 0, sizeof(*q));
	for (i = 1; word != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(word, kinds[i]) == 0)
			q->kind = (uint8_t)i;
	while (word != NULL && (word = strtok(NULL, " ")) != NULL) {
		if ((value = strchr(word, '=')) == NULL)
			continue;
		*value++ = '\0';
		set_field(q, word, value);
	}
}

static void
hear_answer(const struct ear *e)
{
	struct session_answer a;
	int fd;

	if (request_answered(e->monitor, &a, &fd) != REQUEST_OK)
		say(e, "250 monitor gone");
	else
		say(e, "250 %s %s%s", a.granted ? "granted" : "refused",
		    fd >= 0 ? "with a descriptor " : "", a.text[0] != '\0' ? a.text : a.host);
	if (fd >= 0)
		(void)close(fd);
}

static void
ask(const struct ear *e, char *words)
{
	struct session_request q;

	make_request(&q, words);
	if (!request_send(e->monitor, &q))
		say(e, "250 monitor gone");
	else if (q.kind == SESSION_TELL_SETTLED)
		say(e, "250 told");
	else
		hear_answer(e);
}

static void
raw(const struct ear *e, size_t octets)
{
	static char packet[65536];
	struct iovec iov = {packet, octets < sizeof(packet) ? octets : sizeof(packet)};
	const struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (sendmsg(e->monitor, &m, 0) < 0)
		say(e, "250 monitor gone");
	else
		hear_answer(e);
}

static void
pass(const struct ear *e, size_t count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(16 * sizeof(int))];
	} control;
	struct session_request q = {.kind = SESSION_ASK_PEER};
	struct iovec iov = {&q, sizeof(q)};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = CMSG_SPACE(count * sizeof(int))};

	memset(&control, 0, sizeof(control)); /* descriptor 0, so many times */
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	if (count > 16 || sendmsg(e->monitor, &m, 0) < 0)
		say(e, "250 monitor gone");
	else
		hear_answer(e);
}

static void
flood(const struct ear *e, long count)
{
	struct session_request q = {.kind = SESSION_ASK_PEER};
	struct iovec iov = {&q, sizeof(q)};
	const struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	long sent = 0;

	while (sent < count && sendmsg(e->monitor, &m, MSG_NOSIGNAL) > 0)
		sent++;
	say(e, "250 sent %ld", sent);
}

static void
attempt(const struct ear *e, const char *word, const char *argument)
{
	size_t i;

	for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (strcmp(attempts[i].word, word) == 0) {
			if (attempts[i].make(argument) >= 0)
				say(e, "250 %s done", word);
			else
				say(e, "250 %s %s", word, strerrorname_np(errno));
			return;
		}
	say(e, "500 no such order");
}

static void
obey(struct ear *e, char *line)
{
	char *argument = strchr(line, ' ');

	if (argument != NULL)
		*argument++ = '\0';
	else
		argument = line + strlen(line);
	if (strcmp(line, "ask") == 0)
		ask(e, argument);
	else if (strcmp(line, "raw") == 0)
		raw(e, strtoul(argument, NULL, 10));
	else if (strcmp(line, "pass") == 0)
		pass(e, strtoul(argument, NULL, 10));
	else if (strcmp(line, "flood") == 0)
		flood(e, strtol(argument, NULL, 10));
	else if (strcmp(line, "leave") == 0)
		say(e, close(e->monitor) == 0 ? "250 left" : "250 not left");
	else
		attempt(e, line, argument);
}

void
relay_run(struct relay *r, struct session *s)
{
	struct ear e = {.in = 0, .out = r->far == 0 ? 0 : r->near_out, .monitor = r->monitor};
	char line[LINE];

	(void)s;
	say(&e, "220 an engine that was taken over");
	while (hear(&e, line))
		obey(&e, line);
}
