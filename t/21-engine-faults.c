/*
 * engine-faults: hosts, back ends and monitors that refuse, are late, make noise or die; what
 * the MTA is told is never more than what was done, and never permanent for what may pass.
 */
#include "engine-scenario.h"

static const struct say mail[] = {EHLO, MAIL, RCPT, BODY, QUIT, END};
static const struct say by_steps[] = {
    EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\n", 1), SAY("DATA\r\n", 1), BODY, QUIT, END};

static const struct say scan[] = {END};
static const struct say get[] = {SAY("GET / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\n", 1), END};

static const struct say rot_by_hand[] = {
    SAY("XPONY 1 ROT13\r\n", 1), SAY("RUYB zgn.grfg\r\n", 1), SAY("DHVG\r\n", 1), END};

static const struct rule busy_ehlo[] = {LAST("EHLO", "421 4.3.2 busy"), NO_MORE};

static const struct rule dies_at_rcpt[] = {LAST("RCPT", NULL), NO_MORE};

static const struct rule dies_at_data[] = {LAST("DATA", NULL), NO_MORE};

static const struct rule dies_at_dot[] = {LAST(".", NULL), NO_MORE};

static const struct rule dies_after_rcpt[] = {LAST("RCPT TO:<b@", "250 2.1.5 fine"), NO_MORE};

static const struct rule absurd_data[] = {RULE("MAIL", "550 5.7.1 not from there"),
    RULE("RCPT", "250 2.1.5 but why not"), RULE("DATA", "354 go on"), NO_MORE};
static const struct rule absurd_rcpt[] = {RULE("RCPT", "354 go on"), NO_MORE};

#define LOST "451 4.4.2 mx.test [192.0.2.1]: connection closed\r\n"
#define DOWN "451 4.4.1 all hosts down\r\n"
#define NO_BACKEND "421 4.3.0 Out of resources, try again later\r\n"
#define REFUSED_TO(with) R220 "250 2.1.0 Sender noted\r\n" with with with BYE

static const struct scenario scenarios[] = {
    {.name = "a greeting of 4xx: another host is asked for",
	.how = NO_SERVER,
	.script = mail,
	.greeting = "421 4.3.2 busy\r\n",
	.replies = REFUSED_TO(DOWN),
	.heard = "[1]",
	.told = FIRST "HOP REFUSED 421 4.3.2 busy\n",
	.suite = ""},
    {.name = "a greeting of 5xx: the verdict",
	.how = NO_SERVER,
	.script = mail,
	.greeting = "554 5.7.1 not you\r\n",
	.replies = REFUSED_TO("554 5.7.1 mx.test [192.0.2.1] said: not you\r\n"),
	.heard = "[1]",
	.told = FIRST,
	.suite = ""},
    {.name = "no SMTP greeting",
	.how = NO_SERVER,
	.script = mail,
	.greeting = "SSH-2.0-OpenSSH\r\n",
	.replies = REFUSED_TO(DOWN),
	.heard = "[1]",
	.told = FIRST "HOP REFUSED no SMTP reply\n",
	.suite = ""},
    {.name = "EHLO answered with 421",
	.how = NO_SERVER,
	.script = mail,
	.rules = busy_ehlo,
	.replies = REFUSED_TO(DOWN),
	.heard = "[1]EHLO mta.test\r\n",
	.told = FIRST "HOP REFUSED 421 4.3.2 busy\n",
	.suite = ""},
    {.name = "EHLO answered with 421 inside; the second host the same",
	.script = mail,
	.rules = busy_ehlo,
	.hops = 2,
	.replies = REFUSED_TO(DOWN),
	.heard = "[1]EHLO mta.test\r\n[2]EHLO mta.test\r\n",
	.told = UPGRADED "HOP REFUSED 421 4.3.2 busy\n"
			 "BACKEND after upgrade mlkem768x25519-chachapoly\n"
			 "HOP REFUSED 421 4.3.2 busy\n",
	.suite = ""},
    {.name = "no host at all",
	.script = mail,
	.refuse_client = 1 << SESSION_ASK_HOP,
	.refusal = "550 5.1.2 no such host",
	.replies = REFUSED_TO("550 5.1.2 no such host\r\n"),
	.heard = "",
	.told = "refused 4\n",
	.suite = ""},
    {.name = "the client's monitor refuses the key exchange: the offer was bad",
	.script = mail,
	.refuse_client = 1 << SESSION_ASK_DH,
	.refusal = "451 4.7.0 no key",
	.replies = REFUSED_TO(DOWN),
	.heard = "",
	.told = FIRST "refused 1\nHOP UPGRADE cryptographic failure\n",
	.suite = ""},
    {.name = "the client's monitor refuses the host's key",
	.script = mail,
	.refuse_client = 1 << SESSION_ASK_PEER,
	.refusal = "451 4.7.5 key changed",
	.replies = REFUSED_TO(DOWN),
	/* .heard: its EHLO or nothing, as the end comes after its greeting or before */
	.told = UPGRADED "refused 2\nHOP REFUSED 451 4.7.5 key changed\n",
	.suite = ""},
    {.name = "the server's monitor refuses the client's key",
	.script = mail,
	.refuse_server = 1 << SESSION_ASK_PEER,
	.refusal = "454 4.7.0 Encryption failed",
	.replies = REFUSED_TO(DOWN),
	.heard = "",
	.told = FIRST "refused 2\nHOP UPGRADE 454 4.7.0 Encryption failed\n",
	.suite = ""},
    {.name = "the server's monitor refuses the key exchange: twice, then in clear",
	.script = mail,
	.refuse_server = 1 << SESSION_ASK_DH,
	.refusal = "454 4.7.0 Encryption failed",
	.hops = 3,
	.replies = R220 NOTED TWO SENT("") BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = FIRST "refused 1\nHOP UPGRADE 454 4.7.0 Encryption failed\n"
		      "refused 1\nHOP UPGRADE 454 4.7.0 Encryption failed\nBACKEND \n",
	.messages = 1,
	.suite = ""},
    {.name = "no back end for a plain client",
	.how = NO_CLIENT,
	.script = mail,
	.refuse_server = 1 << SESSION_ASK_BACKEND,
	.refusal = "421 4.3.0 mx.test not now",
	.replies = "421 4.3.0 mx.test not now\r\n",
	.heard = "",
	.told = "refused 3\n",
	.suite = ""},
    {.name = "no back end after the upgrade",
	.script = mail,
	.refuse_server = 1 << SESSION_ASK_BACKEND,
	.refusal = "421 4.3.0 mx.test not now",
	.replies = REFUSED_TO(DOWN),
	.heard = "",
	.told = FIRST "refused 3\nHOP REFUSED 421 4.3.0 mx.test not now\n",
	.suite = ""},
    {.name = "a back end that refuses in its greeting: the first command's reply, no more",
	.how = NO_CLIENT,
	.script = mail,
	.greeting = "554 5.7.1 not you\r\n250 2.0.0 but\r\n",
	.replies = "554 5.7.1 not you\r\n",
	.heard = "[1]",
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "a back end that refuses after the upgrade",
	.script = mail,
	.greeting = "421 4.3.2 load\r\n",
	.replies = REFUSED_TO(DOWN),
	.heard = "[1]",
	.told = UPGRADED "HOP REFUSED 421 4.3.2 load\n",
	.suite = ""},
    {.name = "a back end that makes noise before its greeting",
	.script = mail,
	.greeting = "warning: no such map\r\n451 4.0.0 hash map missing\r\n220-back.test\r\n"
		    "220 ESMTP\r\n",
	.replies = R220 NOTED TWO SENT(PONY) BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "a back end that says nothing but nonsense",
	.how = NO_CLIENT,
	.script = mail,
	.greeting = "x\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\n"
		    "x\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\n220 late\r\n",
	.replies = NO_BACKEND,
	.heard = "[1]",
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "a back end that greets late hears nothing before",
	.how = NO_CLIENT,
	.script = mail,
	.delay = 500,
	.replies = "250 2.1.0 sender ok\r\n" TWO "250 2.0.0 accepted\r\n221 2.0.0 bye\r\n",
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = "BACKEND \n",
	.messages = 1,
	.suite = ""},
    {.name = "a back end that greets late, after the upgrade",
	.script = mail,
	.delay = 500,
	.replies = R220 NOTED TWO SENT(PONY) BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "a host that dies at RCPT",
	.script = by_steps,
	.rules = dies_at_rcpt,
	.replies = R220 NOTED "451 4.3.0 mx.test [192.0.2.1] said: Out of resources, try again "
			      "later\r\n" LOST BYE,
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\n",
	.told = UPGRADED,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "a plain host that dies at RCPT",
	.how = NO_SERVER,
	.script = by_steps,
	.rules = dies_at_rcpt,
	.replies = R220 NOTED LOST LOST BYE,
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\n",
	.told = FIRST,
	.suite = ""},
    {.name = "a plain host that dies after RCPT: DATA gets the temporary verdict",
	.how = NO_SERVER,
	.script = by_steps,
	.rules = dies_after_rcpt,
	.replies = R220 NOTED "250 2.1.5 fine\r\n" LOST BYE,
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\n",
	.told = FIRST,
	.suite = ""},
    {.name = "a plain host that dies at DATA",
	.how = NO_SERVER,
	.script = by_steps,
	.rules = dies_at_data,
	.replies = R220 NOTED "250 2.1.5 recipient ok\r\n" LOST BYE,
	.heard =
	    "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n",
	.told = FIRST,
	.suite = ""},
    {.name = "a plain host that dies at the final dot",
	.how = NO_SERVER,
	.script = by_steps,
	.rules = dies_at_dot,
	.replies =
	    R220 NOTED "250 2.1.5 recipient ok\r\n354 go on\r\n451 4.4.2 mx.test "
		       "[192.0.2.1]: lost after the final dot, perhaps delivered\r\n" BYE,
	.heard =
	    "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n",
	.told = FIRST,
	.messages = 1,
	.suite = ""},
    {.name = "a host that refuses MAIL and takes DATA all the same",
	.script = mail,
	.rules = absurd_data,
	.replies =
	    R220 ALL_REFUSED("550 5.7.1 mx.test [192.0.2.1] said: not from there\r\n") BYE,
	.heard = "[1]" HEARD,
	.told = UPGRADED,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "a host that says 354 to RCPT",
	.how = NO_SERVER,
	.script = by_steps,
	.rules = absurd_rcpt,
	.replies = R220 NOTED "451 4.4.2 mx.test [192.0.2.1]: no SMTP reply\r\n"
			      "451 4.4.2 mx.test [192.0.2.1]: no SMTP reply\r\n" BYE,
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\n",
	.told = FIRST,
	.suite = ""},
    {.name = "a port scan costs no back end",
	.how = NO_CLIENT,
	.script = scan,
	.replies = "",
	.heard = "",
	.told = "",
	.suite = ""},
    {.name = "HTTP: one reply, then the end",
	.how = NO_CLIENT,
	.script = get,
	.replies = "554 5.5.1 This is an SMTP server\r\n",
	.heard = "",
	.told = "",
	.suite = ""},
    {.name = "ROT13 between two sessions",
	.how = ROT,
	.script = mail,
	.replies = R220 NOTED TWO SENT(" ROT13") BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = FIRST "BACKEND after upgrade ROT13\n",
	.messages = 1,
	.suite = "ROT13"},
    {.name = "ROT13 by hand",
	.how = NO_CLIENT | ROT,
	.script = rot_by_hand,
	.replies = "220 2.0.0 ROT13\r\n221 2.0.0 olr\r\n",
	.heard = "[1]EHLO mta.test\r\nQUIT\r\n",
	.told = "BACKEND after upgrade ROT13\n",
	.suite = "ROT13"},
};

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
		scenario_run(&scenarios[i]);
	return tap_done();
}
