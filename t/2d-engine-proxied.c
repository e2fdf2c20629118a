/*
 * 2d-engine-proxied - a back end that was sent a PROXY header: nothing of the client's reaches
 * it before it has shown that it took the header, and one that has not is as good as none.
 */
#include "engine-scenario.h"

#define PROXIED .backend = SESSION_BACKEND_PROXIED
#define CLEAR PROXIED, .how = NO_CLIENT, .script = eager, .told = "BACKEND \n", .suite = ""
#define WRONG "421 4.3.5 System incorrectly configured\r\n"

static const struct say clear[] = {EHLO, MAIL, RCPT, BODY, QUIT, END};
static const struct say eager[] = {
    SAY("EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\n", 3), QUIT, END};
/* What an MTA makes of a header that it does not expect. */
static const struct rule takes_it_for_commands[] = {
    RULE("NOOP", "500 5.5.2 what\r\n500 5.5.2 what\r\n221 2.0.0 bye"), NO_MORE};
static const struct rule says_yes_twice[] = {
    RULE("NOOP", "250 2.0.0 ok\r\n250 2.0.0 ok"), NO_MORE};
static const struct rule goes_on[] = {RULE("NOOP", "250 2.0.0 ok\r\n500 5.5.2 what"), NO_MORE};
static const struct rule other_code[] = {RULE("NOOP", "252 2.0.0 perhaps"), NO_MORE};
static const struct rule no_reply[] = {RULE("NOOP", "rubbish"), NO_MORE};
static const struct rule is_gone[] = {LAST("NOOP", "421 4.3.2 bye"), NO_MORE};

static const struct scenario scenarios[] = {
    {.name = "it took it: one NOOP, and all is as ever",
	PROXIED,
	.script = clear,
	.replies = R220 NOTED TWO SENT(PONY) BYE,
	.heard = "[1]NOOP\r\n" HEARD "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "the same in clear",
	CLEAR,
	.replies = "250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n221 2.0.0 bye\r\n",
	.heard = "[1]NOOP\r\nEHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\n"
		 "QUIT\r\n"},
    {.name = "it took it for commands",
	CLEAR,
	.rules = takes_it_for_commands,
	.replies = WRONG,
	.heard = "[1]NOOP\r\n"},
    {.name = "another code",
	CLEAR,
	.rules = other_code,
	.replies = WRONG,
	.heard = "[1]NOOP\r\n"},
    {.name = "no reply at all",
	CLEAR,
	.rules = no_reply,
	.replies = WRONG,
	.heard = "[1]NOOP\r\n"},
    {.name = "and gone", CLEAR, .rules = is_gone, .replies = WRONG, .heard = "[1]NOOP\r\n"},
    {.name = "a 5xx greeting may be for the header: nothing that is permanent",
	CLEAR,
	.greeting = "554 SMTP synchronization error\r\n",
	.replies = WRONG,
	.heard = "[1]"},
    {.name = "a 4xx greeting is its own word",
	CLEAR,
	.greeting = "421 4.3.2 too many\r\n",
	.replies = "421 4.3.2 too many\r\n",
	.heard = "[1]"},
    {.name = "the greeting is the first thing that it says",
	CLEAR,
	.greeting = "500 5.5.2 what\r\n220 back.test ESMTP\r\n",
	.replies = WRONG,
	.heard = "[1]"},
    {.name = "warnings before it are for a program of ours",
	CLEAR,
	.greeting = "warning: no such map\r\n220 back.test ESMTP\r\n",
	.replies = "421 4.3.0 Out of resources, try again later\r\n",
	.heard = "[1]"},
};

/* More than the one reply that is owed, in one piece: as one piece only, since nobody can know
 * what will still come. */
static void
test_more(const struct rule *rules, const char *name)
{
	struct world w;

	world_init(&w);
	w.no_client = true;
	w.backend = SESSION_BACKEND_PROXIED;
	w.talker.script = eager;
	w.answerer.rules = rules;
	world_run(&w);
	is_mem(w.heard.p, w.heard.n, "[1]NOOP\r\n", 9, "%s: nothing of the client's reaches it",
	    name);
	ok(strstr(text_of(&w.wire[S2C]), WRONG) != NULL, "%s: 421", name);
	world_free(&w);
}

/* How long one is waited for. */
static void
test_deadline(void)
{
	static const struct {
		enum session_backend backend;
		unsigned seconds;
	} kinds[] = {{SESSION_BACKEND_STARTED, 300}, {SESSION_BACKEND_SERVER, 60},
	    {SESSION_BACKEND_PROXIED, 60}};
	const struct session_answer granted = {.kind = SESSION_ASK_BACKEND, .granted = true};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct session_config c = {.role = SESSION_SERVER,
		    .name = "mx.test",
		    .backend = (uint8_t)kinds[i].backend,
		    .random = not_random};
		struct session *s = session_new(&c);
		size_t n;
		uint8_t *room;

		session_run(s);
		room = session_reserve(s, SESSION_FAR, &n);
		memcpy(room, "EHLO x\r\n", 8);
		session_commit(s, SESSION_FAR, 8);
		session_run(s);
		ok(session_request(s) != NULL, "a back end is asked for");
		session_answer(s, &granted);
		session_run(s);
		is_int(session_timeout(s), kinds[i].seconds,
		    "its greeting is waited for %u seconds", kinds[i].seconds);
		session_free(s);
	}
}

int
main(void)
{
	SCENARIOS_RUN(scenarios);
	test_more(says_yes_twice, "yes, twice");
	test_more(goes_on, "yes, and more");
	test_deadline();
	return tap_done();
}
