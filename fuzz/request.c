/*
 * request - one packet between engine and monitor, whichever of them was taken over
 * (lib/request.h).
 *
 * Input: which end reads; how many descriptors come along; then changes to a good packet.
 */
#include "fuzz/packet.h"

#define IS_TERMINATED(text) (strnlen(text, sizeof(text)) < sizeof(text))

static void
receive(int fd, size_t descriptors)
{
	struct session_request q;

	if (request_receive(fd, &q) != REQUEST_OK)
		return;
	HOLDS(descriptors == 0);
	HOLDS(q.kind >= SESSION_ASK_DH && q.kind <= SESSION_ASK_MAIL);
	HOLDS(q.reason <= SESSION_HOP_KEPT && q.fault < ERR_COUNT);
	HOLDS(q.report.fault < ERR_COUNT && q.commitment.keys <= COMMITMENT_KEYS);
	HOLDS(IS_TERMINATED(q.suite) && IS_TERMINATED(q.name) && IS_TERMINATED(q.text));
	HOLDS(IS_TERMINATED(q.report.suite) && IS_TERMINATED(q.report.hello));
	HOLDS(IS_TERMINATED(q.report.verdict));
}

static void
hear(int fd, size_t descriptors)
{
	struct session_answer a;
	int passed;
	const enum request_result result = request_answered(fd, &a, &passed);

	HOLDS(passed == -1 || result == REQUEST_OK);
	HOLDS(result != REQUEST_OK || descriptors == (passed >= 0));
	if (passed >= 0)
		close(passed);
	if (result == REQUEST_OK)
		HOLDS(
		    IS_TERMINATED(a.host) && IS_TERMINATED(a.address) && IS_TERMINATED(a.text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static int fds[2] = {-1, -1};
	uint8_t packet[PACKET_MAX] = {0};
	struct input in = {p, n};
	const uint8_t what = input_u8(&in);
	const size_t descriptors = (what >> 1) % (PACKET_FDS + 1);
	const bool monitor = (what & 1) == 0;
	int next;

	fuzz_start();
	HOLDS(fds[0] >= 0 || request_pair(fds));
	next = packet_next_fd();
	packet[0] = SESSION_ASK_DH; /* the kind stands first in both */
	n = monitor ? sizeof(struct session_request) : sizeof(struct session_answer);
	n = input_edit(&in, packet, n, sizeof packet);
	if (n == 0) /* which would be the end of the connection */
		return 0;
	packet_send(fds[monitor ? 1 : 0], packet, n, descriptors);
	if (monitor)
		receive(fds[0], descriptors);
	else
		hear(fds[1], descriptors);
	HOLDS(packet_next_fd() == next);
	return 0;
}
