/*
 * 2e-engine-redirected - the engine of blackpony-mailer -r: the MTA hears the host as if there
 * were nobody in between, and of every fault a 421 and the end.
 */
#include "engine-scenario.h"

#define HOST_220 "220 mx.test ESMTP\r\n"
#define BACK_220 "220 back.test ESMTP\r\n"
#define ENCRYPTED .told = UPGRADED, .suite = "mlkem768x25519-chachapoly"

static const struct say mail[] = {EHLO, MAIL, RCPT, BODY, QUIT, END};
static const struct rule bad_recipient[] = {
    RULE("RCPT TO:<bad", "550 5.1.1 no such user"), NO_MORE};
static const struct rule no_mail[] = {RULE("MAIL", "552 5.3.4 too big"), NO_MORE};
static const struct rule busy_ehlo[] = {LAST("EHLO", "421 4.3.2 busy"), NO_MORE};
static const struct rule dies_at_rcpt[] = {LAST("RCPT", NULL), NO_MORE};
static const struct rule dies_at_dot[] = {LAST(".", NULL), NO_MORE};
static const struct rule no_dot[] = {RULE(".", "550 5.7.1 spam"), NO_MORE};

static const struct scenario scenarios[] = {
    {.name = "a mail: greeted by the host's name",
	.how = REDIRECTED,
	.script = mail,
	.replies = HOST_220 NOTED TWO SENT(PONY) BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.messages = 1,
	ENCRYPTED},
    {.name = "a refused recipient: in the host's own words",
	.how = REDIRECTED,
	.script = mail,
	.rules = bad_recipient,
	.replies = HOST_220 NOTED
	"250 2.1.5 recipient ok\r\n550 5.1.1 no such user\r\n354 go on\r\n" SENT(PONY) BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.messages = 1,
	ENCRYPTED},
    {.name = "a refused MAIL: told to each recipient, in the host's own words",
	.how = REDIRECTED,
	.script = mail,
	.rules = no_mail,
	.replies = HOST_220 NOTED
	"552 5.3.4 too big\r\n552 5.3.4 too big\r\n552 5.3.4 too big\r\n" BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	ENCRYPTED},
    {.name = "a refused message",
	.how = REDIRECTED,
	.script = mail,
	.rules = no_dot,
	.replies = HOST_220 NOTED TWO "550 5.7.1 spam\r\n" BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.messages = 1,
	ENCRYPTED},
    {.name = "no host: a greeting of 421, and the end",
	.how = REDIRECTED,
	.script = mail,
	.refuse_client = 1 << SESSION_ASK_HOP,
	.refusal = "451 4.4.1 mx.test: connection refused",
	.replies = "421 4.4.1 mx.test: connection refused\r\n",
	.told = "refused 4\n",
	.suite = ""},
    {.name = "a host that greets with 421",
	.how = REDIRECTED | NO_SERVER,
	.script = mail,
	.greeting = "421 4.3.2 busy\r\n",
	.replies = "421 4.4.1 all hosts down\r\n",
	.heard = "[1]",
	.told = FIRST "HOP REFUSED 421 4.3.2 busy\n",
	.suite = ""},
    {.name = "a host that greets with 5xx: the greeting is the host's",
	.how = REDIRECTED | NO_SERVER,
	.script = mail,
	.greeting = "554 5.7.1 not you\r\n",
	.replies = "554 5.7.1 not you\r\n",
	.heard = "[1]",
	.told = FIRST,
	.suite = ""},
    {.name = "EHLO is refused with 421: so is the MTA's",
	.how = REDIRECTED | NO_SERVER,
	.script = mail,
	.rules = busy_ehlo,
	.replies = BACK_220 "421 4.4.1 all hosts down\r\n",
	.heard = "[1]EHLO mta.test\r\n",
	.told = FIRST "HOP REFUSED 421 4.3.2 busy\n",
	.suite = ""},
    {.name = "a key that policy does not trust: 421 at EHLO",
	.how = REDIRECTED,
	.script = mail,
	.refuse_client = 1 << SESSION_ASK_PEER,
	.refusal = "451 4.7.5 another key",
	.replies = HOST_220 "421 4.4.1 all hosts down\r\n",
	.told = UPGRADED "refused 2\nHOP REFUSED 451 4.7.5 another key\n",
	.suite = ""},
    {.name = "lost at RCPT: 421 once, and the end",
	.how = REDIRECTED | NO_SERVER,
	.script = mail,
	.rules = dies_at_rcpt,
	.replies = BACK_220 NOTED "421 4.4.2 mx.test [192.0.2.1]: connection closed\r\n",
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\n",
	.told = FIRST,
	.suite = ""},
    {.name = "lost after the dot: 421, and the end",
	.how = REDIRECTED | NO_SERVER,
	.script = mail,
	.rules = dies_at_dot,
	.replies = BACK_220 NOTED TWO
	"421 4.4.2 mx.test [192.0.2.1]: lost after the final dot, perhaps delivered\r\n",
	.heard = "[1]" HEARD,
	.told = FIRST,
	.messages = 1,
	.suite = ""},
};

/* A session that is kept is not to be told from the host itself: neither by the mail for which
 * it was kept, nor by the engine that is given one. */
static void
test_kept(void)
{
	static const struct say one[] = {
	    EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2), BODY, QUIT, END};
	const struct say *const mails[] = {one, NULL};
	struct octets first = {0}, got = {0};
	struct world w;

	world_init(&w);
	w.redirected = w.keep = true;
	w.talker.script = one;
	world_run(&w);
	outcome_replies(&first, &w.mta_in, false);
	world_free(&w);

	world_init(&w);
	w.redirected = w.keep = true;
	w.talker.script = one;
	w.monitor.mails = mails;
	world_run(&w);
	is_int(w.messages, 2, "kept: two mails");
	is_int(w.connections, 1, "one connection");
	ok(holds(&w.mta_in, HOST_220, strlen(HOST_220)),
	    "the second is greeted by the host's name");
	world_free(&w);

	world_init(&w);
	w.redirected = w.keep = w.kept = true;
	w.talker.script = one;
	world_run(&w);
	outcome_replies(&got, &w.mta_in, false);
	is_int(w.messages, 1, "given a kept one: a mail");
	ok(holds(&got, BACK_220, strlen(BACK_220)), "greeted by the name that it says");
	renew(&first);
	renew(&got);
}

int
main(void)
{
	SCENARIOS_RUN(scenarios);
	test_kept();
	return tap_done();
}
