/*
 * pair - both engines, joined in memory between a sending MTA and a back end (t/engine.h):
 * octets split anywhere through pipes of any width, monitors that refuse, an octet changed or
 * the connection cut on the way. What was taken has arrived, as it was sent, and unseen.
 *
 * Input: who is there, what goes wrong, how it is split; then what the MTA says.
 */
#include "t/engine.h"

#include "fuzz/fuzz.h"

#define GROUPS 24
#define TEXT 32768
#define MARK "Subject: sesame\r\n"

static const char *const groups[] = {"MAIL FROM:<a@mta.test>\r\n",
    "RCPT TO:<b@mx.test>\r\nRCPT TO:<c@mx.test>\r\nDATA\r\n", "RSET\r\n", "NOOP\r\n",
    "RSET\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n", "EHLO again.test\r\n",
    "DATA\r\n", "RCPT TO:<d@mx.test>\r\n"};
static const unsigned group_replies[] = {1, 3, 1, 1, 4, 1, 1, 1};

static const struct rule no_rcpt[] = {{"RCPT", "550 5.1.1 no", false}, {NULL, NULL, false}};
static const struct rule no_mail[] = {{"MAIL", "451 4.7.1 later", false}, {NULL, NULL, false}};
static const struct rule no_body[] = {{".", "554 5.6.0 no", false}, {NULL, NULL, false}};
static const struct rule leaves[] = {{"DATA", "421 4.3.2 bye", true}, {NULL, NULL, false}};
static const struct rule dies[] = {{"RCPT", NULL, false}, {NULL, NULL, false}};
static const struct rule *const rules[] = {
    NULL, NULL, NULL, no_rcpt, no_mail, no_body, leaves, dies};

struct wrong {
	int dir;
	size_t at; /* of the octets that go this way */
	uint8_t with;
	size_t gone;
};

static struct say script[GROUPS * 2 + 4];
static struct octets bodies; /* as they were sent */

/* One octet of the first connection is another. */
static void
spoil(struct world *w, int dir, const uint8_t *p, size_t n)
{
	struct wrong *wrong = w->hook;
	uint8_t octet;

	if (dir != wrong->dir || wrong->at < wrong->gone || wrong->at >= wrong->gone + n) {
		wire_put(w, dir, p, n);
	} else {
		const size_t before = wrong->at - wrong->gone;

		octet = p[before] ^ wrong->with;
		wire_put(w, dir, p, before);
		wire_put(w, dir, &octet, 1);
		wire_put(w, dir, p + before + 1, n - before - 1);
	}
	if (dir == wrong->dir)
		wrong->gone += n;
}

/* The body of a message: it has the end that it has, and no other. Its length. */
static size_t
make_body(struct input *in, uint8_t *to, size_t room)
{
	static const char end[] = "\r\n.\r\n";
	const size_t mark = strlen(MARK), tail = strlen(end);
	uint8_t *inner;
	size_t n;
	const uint8_t *p = input_octets(in, &n);

	if (room < mark + tail)
		return 0;
	if (n > room - mark - tail)
		n = room - mark - tail;
	memcpy(to, MARK, mark);
	memcpy(to + mark, p, n);
	n += mark;
	memcpy(to + n, end, tail);
	n += tail;
	while ((inner = memmem(to, n - 1, end, tail)) != NULL)
		inner[2] = 'x';
	return n;
}

/* Greeting, groups as the input has them, a body behind each DATA that is taken, QUIT. */
static void
make_script(struct input *in)
{
	static uint8_t text[TEXT];
	size_t used = 0, at = 0;

	memset(script, 0, sizeof script);
	script[at++] = (struct say){.text = "EHLO mta.test\r\n", .replies = 1};
	for (int i = 0; i < GROUPS && in->left > 0; i++) {
		const unsigned g = input_u8(in) % (sizeof groups / sizeof groups[0]);
		size_t n;

		script[at++] = (struct say){.text = groups[g], .replies = group_replies[g]};
		if (strstr(groups[g], "DATA") == NULL)
			continue;
		if ((n = make_body(in, text + used, sizeof text - used)) == 0)
			break;
		script[at++] = (struct say){.text = (const char *)text + used,
		    .len = n,
		    .replies = 1,
		    .only_after = 354};
		put(&bodies, text + used, n);
		used += n;
	}
	script[at] = (struct say){.text = "QUIT\r\n", .replies = 1};
}

/* Each body that arrived is one that was sent, in their order. */
static void
look_at_bodies(const struct world *w)
{
	static const char end[] = "\r\n.\r\n";
	const uint8_t *p = w->bodies.p, *sent = bodies.p, *stop;
	size_t left = w->bodies.n, sent_left = bodies.n, n;

	while (left > 0) {
		stop = memmem(p, left, end, 5);
		HOLDS(stop != NULL);
		n = (size_t)(stop - p) + 5;
		do { /* the next one that was sent */
			stop = memmem(sent, sent_left, end, 5);
			HOLDS(stop != NULL);
			stop += 5;
			sent_left -= (size_t)(stop - sent);
			sent = stop;
		} while (n > (size_t)(sent - bodies.p) || memcmp(sent - n, p, n) != 0);
		p += n;
		left -= n;
	}
}

static void
look_at_world(struct world *w, bool wrong)
{
	const bool upgraded = strstr(text_of(&w->told), "BACKEND after upgrade") != NULL;
	const bool first =
	    strncmp(text_of(&w->told), "HOP FIRST \nBACKEND after upgrade", 32) == 0;

	if (!wrong)
		HOLDS(w->stalls == 0 && w->client_report.messages ==
					    (w->answerer.rules == no_body ? 0 : w->messages));
	HOLDS(w->client_report.messages <= w->messages);
	if (!wrong || (upgraded && w->rot_client == 0)) /* ROTn protects nothing */
		look_at_bodies(w);
	if (first && w->connections == 1 && w->rot_client == 0)
		for (int dir = 0; dir < 2; dir++)
			HOLDS(!holds(&w->tape[dir], MARK, strlen(MARK)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const size_t windows[] = {SIZE_MAX / 2, SIZE_MAX / 2, 1, 3, 100, 700, 5000};
	struct input in = {p, n};
	const uint8_t how = input_u8(&in), what = input_u8(&in);
	struct wrong wrong = {0};
	struct world w;

	fuzz_start();
	world_init(&w);
	renew(&bodies);
	w.rot_client = w.rot_server = (how & 7) == 1 ? 13 : 0;
	w.no_offer = (how & 7) == 2;
	w.no_server = (how & 7) == 3;
	w.demand = (how & 7) == 4 ? SESSION_DEMAND_XPONY : SESSION_DEMAND_NOTHING;
	w.answerer.rules = rules[how >> 3 & 7];
	w.split = how >> 6 == 1 ? BYTES : how >> 6 == 0 ? WHOLE : RANDOM;
	w.window = windows[what % 7];
	w.seed = input_u16(&in);
	w.monitor.refuse_client = input_u8(&in) & ~(1u << SESSION_ASK_HOP);
	w.monitor.refuse_server = input_u8(&in);
	w.monitor.text = "451 4.7.5 no";
	w.monitor.hops = 1 + what / 7 % 3;
	w.monitor.offers = what / 21 % 3;
	wrong.with = input_u8(&in);
	wrong.dir = what >> 7;
	wrong.at = input_u16(&in);
	w.hook = &wrong;
	if (wrong.with == 0xff)
		w.wire[wrong.dir].limit = wrong.at + 1;
	else if (wrong.with > 0)
		w.tap = spoil;
	make_script(&in);
	w.talker.script = script;
	world_run(&w);
	look_at_world(&w, wrong.with > 0);
	world_free(&w);
	renew(&bodies);
	return 0;
}
