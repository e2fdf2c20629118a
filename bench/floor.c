/*
 * floor - what the receiver's walls cost without the receiver: two processes and a back end,
 *the sandboxes of both, the TCP pair, and the arithmetic of one hybrid upgrade. It reads no
 *file, writes no log, counts no sessions, parses nothing and encrypts nothing: octets are
 *carried from the client to the back end as they are. Started by inetd for
 *bench/row-sessions.sh and row-memory.sh, whose other figures cannot go below it as long as
 *those walls stand.
 *
 *	floor empty-directory namespace backend [argument ...]
 *	floor - backend [argument ...]
 *
 * The second form is one process without any wall, pair or arithmetic: what a start of the back
 *end by another program costs at the very least.
 */
#include "lib/launch.h"
#include "lib/request.h"
#include "lib/sandbox.h"
#include "libxpony/kem.h"
#include "libxpony/noise.h"
#include "receiver/backend.h"
#include "receiver/pair.h"

#include <err.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, ROOM = 65536 };

static char room[ROOM];

/* The receiver's part of one upgrade: four X25519 and an answer to a key of ML-KEM. */
static void
calculate(void)
{
	static const uint8_t their_kem[KEM_EK]; /* zero is a key like any other */
	uint8_t secret[2][NOISE_KEY], public[2][NOISE_KEY], shared[NOISE_KEY];
	struct kem *kem = sodium_malloc(sizeof(*kem));
	bool failed = false;
	size_t i;

	for (i = 0; i < 2; i++) {
		randombytes_buf(secret[i], sizeof(secret[i]));
		(void)crypto_scalarmult_base(public[i], secret[i]);
	}
	for (i = 0; i < 2; i++)
		failed |= crypto_scalarmult(shared, secret[i], public[1 - i]) != 0;
	if (failed || kem == NULL ||
	    kem_answer(kem, their_kem, sizeof(their_kem), randombytes_buf) != ERR_NONE)
		_exit(1);
	sodium_free(kem);
}

/* True until that side has ended. */
static bool
carry(int from, int to)
{
	const ssize_t n = read(from, room, sizeof(room));

	return n > 0 && write(to, room, (size_t)n) == n;
}

static void
carry_all(int backend)
{
	struct pollfd p[2] = {
	    {.fd = STDIN_FILENO, .events = POLLIN}, {.fd = backend, .events = POLLIN}};

	while (poll(p, 2, -1) > 0)
		if ((p[0].revents != 0 && !carry(p[0].fd, p[1].fd)) ||
		    (p[1].revents != 0 && !carry(p[1].fd, p[0].fd)))
			break;
}

_Noreturn static void
engine(int monitor, int root)
{
	const struct sandbox walls = {
	    .role = SANDBOX_RECEIVER, .root = root, .user = NOBODY, .group = NOBODY};
	struct session_request q = {.kind = SESSION_ASK_BACKEND};
	struct session_answer a;
	int backend;

	if (!sandbox_enter(&walls))
		_exit(1);
	calculate();
	if (!request_send(monitor, &q) || request_answered(monitor, &a, &backend) != REQUEST_OK)
		_exit(1);
	carry_all(backend);
	q.kind = SESSION_TELL_DONE;
	_exit(request_send(monitor, &q) ? 0 : 1);
}

static bool
start_backend(int engine_socket, char *const argv[], const char *namespace)
{
	const struct backend_about about = {.upgraded = false};
	struct sockaddr_storage client, local;
	struct session_answer a = {.kind = SESSION_ASK_BACKEND, .granted = true};
	socklen_t n = sizeof(client), m = sizeof(local);
	char why[BACKEND_WHY_MAX];
	int fds[2];

	memset(&client, 0, sizeof(client));
	memset(&local, 0, sizeof(local));
	return getpeername(STDIN_FILENO, (struct sockaddr *)&client, &n) == 0 &&
	       getsockname(STDIN_FILENO, (struct sockaddr *)&local, &m) == 0 &&
	       pair_normalise(&client) && pair_normalise(&local) &&
	       pair_make(&client, &local, namespace, fds, why, sizeof(why)) &&
	       backend_start(argv, fds[PAIR_SERVER], &about, why, sizeof(why)) > 0 &&
	       close(fds[PAIR_SERVER]) == 0 &&
	       request_answer(engine_socket, &a, fds[PAIR_CLIENT]) &&
	       close(fds[PAIR_CLIENT]) == 0;
}

static int
alone(char *const argv[])
{
	const struct backend_about about = {.upgraded = false};
	char why[BACKEND_WHY_MAX];
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 ||
	    backend_start(argv, fds[1], &about, why, sizeof(why)) < 0 || close(fds[1]) != 0)
		return 1;
	carry_all(fds[0]);
	while (waitpid(-1, NULL, 0) > 0)
		;
	return 0;
}

int
main(int argc, char **argv)
{
	const struct sandbox walls = {
	    .role = SANDBOX_MONITOR, .root = -1, .user = NOBODY, .group = NOBODY};
	char why[SANDBOX_REASON_MAX] = "";
	struct session_request q;
	int fds[2], root;
	pid_t pid;

	launch_signals();
	if (argc > 2 && strcmp(argv[1], "-") == 0)
		return alone(argv + 2);
	if (argc < 4 || !sandbox_hide() || sodium_init() < 0 ||
	    (root = sandbox_root(argv[1], why)) < 0 || !request_pair(fds) || (pid = fork()) < 0)
		errx(1, "%s", why);
	if (pid == 0) {
		(void)close(fds[0]);
		engine(fds[1], root);
	}
	(void)close(fds[1]);
	(void)close(root);
	if (request_receive(fds[0], &q) != REQUEST_OK ||
	    !start_backend(fds[0], argv + 3, argv[2]) || close(STDIN_FILENO) != 0 ||
	    close(STDOUT_FILENO) != 0 || close(STDERR_FILENO) != 0 || !sandbox_enter(&walls) ||
	    request_receive(fds[0], &q) != REQUEST_OK)
		_exit(1);
	while (waitpid(-1, NULL, 0) > 0)
		;
	launch_leave(0);
}
