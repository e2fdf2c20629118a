/*
 * 27-engine-demand - a server that demands encryption: what a client in clear is told, and that
 * no back end hears a word of its mail.
 */
#include "engine-scenario.h"

#define ENCRYPTION SESSION_DEMAND_ENCRYPTION
#define XPONY SESSION_DEMAND_XPONY
#define EITHER "530 5.7.0 Must issue an XPONY or STARTTLS command first\r\n"
#define OURS "530 5.7.0 Must issue an XPONY command first\r\n"
#define LATER "454 4.7.0 Encryption is demanded but not available at present\r\n"

static const struct say clear[] = {EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\n", 1),
    SAY("DATA\r\n", 1), SAY("AUTH PLAIN AHNlY3JldA==\r\n", 1), SAY("VRFY b\r\n", 1),
    SAY("BDAT 5 LAST\r\n", 1), SAY("ETRN mx.test\r\n", 1), SAY("mail from:<>\r\n", 1),
    SAY("MAIL\r\n", 1), SAY("RSET\rMAIL FROM:<>\r\n", 1), SAY("RSET\r\n", 1),
    SAY("NOOP\r\n", 1), SAY("HELO mta.test\r\n", 1), MAIL, QUIT, END};
static const struct say mail_first[] = {MAIL, QUIT, END};
static const struct say group[] = {EHLO,
    SAY("NOOP\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\nNOOP\r\n", 5), QUIT,
    END};
static const struct say tls[] = {
    EHLO, SAY("STARTTLS\r\n", 1), {.text = "\x16\x03\x01 MAIL FROM:<>\r\n", .raw = 18}, END};
static const struct say no_tls[] = {EHLO, SAY("STARTTLS\r\n", 1), MAIL, QUIT, END};
static const struct say mail[] = {EHLO, MAIL, RCPT, BODY, QUIT, END};
static const struct say by_rot[] = {EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\n", 1), QUIT, END};
static const struct rule refuses_tls[] = {RULE("STARTTLS", "454 4.7.0 never"), NO_MORE};

#define ALLOWED "RSET\r\nNOOP\r\nHELO mta.test\r\nQUIT\r\n"
#define ALLOWED_SAID "250 2.0.0 reset\r\n250 2.0.0 ok\r\n250 back\r\n"
#define SAID_BYE "221 2.0.0 bye\r\n"
#define TEN(reply) reply reply reply reply reply reply reply reply reply reply

static const struct scenario scenarios[] = {
    {.name = "in clear: it may introduce itself and go",
	.demand = ENCRYPTION,
	.how = NO_CLIENT,
	.script = clear,
	.replies = TEN(EITHER) ALLOWED_SAID EITHER SAID_BYE,
	.heard = "[1]EHLO mta.test\r\n" ALLOWED,
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "the same where STARTTLS is not enough",
	.demand = XPONY,
	.how = NO_CLIENT,
	.script = clear,
	.replies = TEN(OURS) ALLOWED_SAID OURS SAID_BYE,
	.heard = "[1]EHLO mta.test\r\n" ALLOWED,
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "nothing to offer at present: the client shall try again",
	.demand = ENCRYPTION,
	.how = NO_CLIENT | NO_OFFER,
	.script = clear,
	.replies = TEN(LATER) ALLOWED_SAID LATER SAID_BYE,
	.heard = "[1]EHLO mta.test\r\n" ALLOWED,
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "MAIL as the first command",
	.demand = ENCRYPTION,
	.how = NO_CLIENT,
	.script = mail_first,
	.replies = EITHER SAID_BYE,
	.heard = "[1]QUIT\r\n",
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "a pipelined group: each its own reply, in order",
	.demand = ENCRYPTION,
	.how = NO_CLIENT,
	.script = group,
	.replies = "250 2.0.0 ok\r\n" EITHER EITHER EITHER "250 2.0.0 ok\r\n" SAID_BYE,
	.heard = "[1]EHLO mta.test\r\nNOOP\r\nNOOP\r\nQUIT\r\n",
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "STARTTLS is encryption",
	.demand = ENCRYPTION,
	.how = NO_CLIENT,
	.script = tls,
	.replies = "220 2.0.0 ready\r\n\x16\x03\x01 MAIL FROM:<>\r\n",
	.heard = "[1]EHLO mta.test\r\nSTARTTLS\r\n\x16\x03\x01 MAIL FROM:<>\r\n",
	.told = "BACKEND \n",
	.suite = "STARTTLS"},
    {.name = "STARTTLS that the back end refuses is none",
	.demand = ENCRYPTION,
	.how = NO_CLIENT,
	.script = no_tls,
	.rules = refuses_tls,
	.replies = "454 4.7.0 never\r\n" EITHER SAID_BYE,
	.heard = "[1]EHLO mta.test\r\nSTARTTLS\r\nQUIT\r\n",
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "nor is it XPONY",
	.demand = XPONY,
	.how = NO_CLIENT,
	.script = no_tls,
	.replies = OURS OURS SAID_BYE,
	.heard = "[1]EHLO mta.test\r\nQUIT\r\n",
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "XPONY is what is demanded",
	.demand = XPONY,
	.script = mail,
	.replies = R220 NOTED TWO SENT(PONY) BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "ROT13 is no encryption",
	.demand = ENCRYPTION,
	.how = ROT,
	.script = by_rot,
	.replies =
	    R220 NOTED "454 4.7.0 mx.test [192.0.2.1] said: Encryption is demanded but not "
		       "available at present\r\n" BYE,
	.heard = "[1]EHLO mta.test\r\nQUIT\r\n",
	.told = FIRST "BACKEND after upgrade ROT13\n",
	.suite = "ROT13"},
};

static bool
shows_starttls(enum session_demand demand)
{
	static const struct say script[] = {EHLO, QUIT, END};
	struct world w;
	bool shown;

	world_init(&w);
	w.no_client = true;
	w.demand = demand;
	w.talker.script = script;
	world_run(&w);
	shown = strstr(text_of(&w.wire[S2C]), "STARTTLS") != NULL;
	ok(strstr(text_of(&w.wire[S2C]), "250 XPONY 1 ") != NULL, "XPONY is offered");
	world_free(&w);
	return shown;
}

int
main(void)
{
	SCENARIOS_RUN(scenarios);
	ok(shows_starttls(ENCRYPTION), "STARTTLS is offered where it is enough");
	ok(!shows_starttls(XPONY), "and not where it is not");
	return tap_done();
}
