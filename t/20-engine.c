/*
 * engine: whole dialogues that go well or are refused, through both sessions or through one and
 * a plain peer.
 */
#include "engine-scenario.h"

static const struct say mail[] = {EHLO, MAIL, RCPT, BODY, QUIT, END};
static const struct say helo[] = {SAY("HELO mta.test\r\n", 1), MAIL,
    SAY("RCPT TO:<b@mx.test>\r\n", 1), SAY("DATA\r\n", 1), BODY, QUIT, END};
static const struct say ehlo_helo[] = {
    EHLO, SAY("HELO mta.test\r\n", 1), MAIL, SAY("RCPT TO:<b@mx.test>\r\n", 1), QUIT, END};
static const struct say two[] = {EHLO, MAIL, RCPT, BODY, MAIL, RCPT, BODY, QUIT, END};
static const struct say two_and_more[] = {
    EHLO, MAIL, RCPT, BODY, MAIL, RCPT, BODY, SAY("XPONY 1 ROT13\r\n", 1), QUIT, END};
static const struct say reset[] = {EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\n", 1),
    SAY("RSET\r\n", 1), MAIL, SAY("RSET\r\n", 1), MAIL, RCPT, BODY, QUIT, END};
static const struct say eager[] = {EHLO,
    SAY("MAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nRSET\r\nMAIL FROM:<c@mta.test>\r\n"
	"RCPT TO:<b@mx.test>\r\nDATA\r\n",
	6),
    SAY("one\r\n.\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nNOOP\r\nDATA\r\n", 5),
    SAY("two\r\n.\r\nQUIT\r\n", 2), END};
static const struct say again[] = {EHLO, MAIL, EHLO, MAIL, RCPT, BODY, QUIT, END};
static const struct say starttls[] = {EHLO, SAY("STARTTLS\r\n", 1),
    {.text = "\x16\x03\x01 this is TLS\r\n.\r\n\xff", .raw = 21}, END};
static const struct say whole[] = {
    SAY("EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n"
	"Subject: all at once\r\n\r\n..\r\n.\r\nQUIT\r\n",
	6),
    END};
static const struct say whole_refused[] = {
    SAY("EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<bad@mx.test>\r\nDATA\r\n"
	"NOOP\r\n.\r\nQUIT\r\n",
	7),
    END};
static const struct say auth[] = {EHLO, SAY("AUTH LOGIN\r\n", 1), SAY("bWU=\r\n", 1),
    SAY("c2VjcmV0\r\n", 1), MAIL, SAY("XPONY 1 x25519-chachapoly AAAA\r\n", 1), QUIT, END};
static const struct say left_in_auth[] = {EHLO, SAY("AUTH LOGIN\r\n", 1), END};

static const struct rule bad_recipient[] = {
    RULE("RCPT TO:<bad", "550 5.1.1 no such user"), NO_MORE};
static const struct rule no_mail[] = {RULE("MAIL", "552 5.3.4 too big"), NO_MORE};
static const struct rule no_mail_and_gone[] = {LAST("MAIL", "554 5.7.1 go away"), NO_MORE};
static const struct rule no_data[] = {RULE("DATA", "451 4.3.2 not now"), NO_MORE};
static const struct rule no_dot[] = {RULE(".", "550 5.7.1 spam"), NO_MORE};
static const struct rule no_ehlo[] = {RULE("EHLO", "502 5.5.1 what?"), NO_MORE};
static const struct rule login[] = {RULE("AUTH", "334 VXNlcm5hbWU6"),
    RULE("bWU=", "334 UGFzc3dvcmQ6"), RULE("c2VjcmV0", "235 2.7.0 welcome"), NO_MORE};

static const char no_pipelining[] = "250-back.test\r\n250-SIZE\r\n250 HELP\r\n";

static const struct scenario scenarios[] = {
    {.name = "upgrade by the greeting's hint",
	.script = mail,
	.replies = R220 NOTED TWO SENT(PONY) BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "hint taken out on the way: upgrade by the keyword",
	.how = NO_HINT,
	.script = mail,
	.replies = R220 NOTED TWO SENT(PONY) BYE,
	.heard = "[1]EHLO mta.test\r\nQUIT\r\n[2]" HEARD "QUIT\r\n",
	.told = FIRST "BACKEND \nBACKEND after upgrade mlkem768x25519-chachapoly\n",
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "hint and keyword taken out: in clear",
	.how = NO_HINT | NO_KEYWORD,
	.script = mail,
	.replies = R220 NOTED TWO SENT("") BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = FIRST "BACKEND \n",
	.messages = 1,
	.suite = ""},
    {.name = "no offer by the server",
	.how = NO_OFFER,
	.script = mail,
	.replies = R220 NOTED TWO SENT("") BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = FIRST "BACKEND \n",
	.messages = 1,
	.suite = ""},
    {.name = "client to a plain host",
	.how = NO_SERVER,
	.script = mail,
	.rules = bad_recipient,
	.replies = R220 NOTED "250 2.1.5 recipient ok\r\n"
			      "550 5.1.1 mx.test [192.0.2.1] said: no such user\r\n"
			      "354 go on\r\n" SENT("") BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = FIRST,
	.messages = 1,
	.suite = ""},
    {.name = "plain client to the server",
	.how = NO_CLIENT,
	.script = mail,
	.rules = bad_recipient,
	.replies = "250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n550 5.1.1 no such user\r\n"
		   "354 go on\r\n250 2.0.0 accepted\r\n221 2.0.0 bye\r\n",
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = "BACKEND \n",
	.messages = 1,
	.suite = ""},
    {.name = "plain client, all in one write: its body was not asked for yet",
	.how = NO_CLIENT,
	.script = whole,
	.replies = "250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n"
		   "554 5.5.0 SMTP protocol error\r\n",
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\n"
		 "DATA\r\n",
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "plain client, all in one write, refused: its body becomes commands",
	.how = NO_CLIENT,
	.script = whole_refused,
	.rules = bad_recipient,
	.replies = "250 2.1.0 sender ok\r\n550 5.1.1 no such user\r\n503 5.0.0 need RCPT\r\n"
		   "250 2.0.0 ok\r\n250 2.0.0 accepted\r\n221 2.0.0 bye\r\n",
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<bad@mx.test>\r\n"
		 "DATA\r\nNOOP\r\n.\r\nQUIT\r\n",
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "plain client, two messages: behind them commands are looked at again",
	.how = NO_CLIENT,
	.script = two_and_more,
	.replies = "250 2.1.0 sender ok\r\n" TWO "250 2.0.0 accepted\r\n"
		   "250 2.1.0 sender ok\r\n" TWO "250 2.0.0 accepted\r\n"
		   "503 5.5.1 Bad sequence of commands\r\n221 2.0.0 bye\r\n",
	.heard = "[1]" HEARD "MAIL FROM:<a@mta.test>\r\n" HEARD_RCPT "QUIT\r\n",
	.told = "BACKEND \n",
	.messages = 2,
	.suite = ""},
    {.name = "plain client, HELO: no keywords",
	.how = NO_CLIENT,
	.script = helo,
	.replies = "250 back\r\n250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n354 go on\r\n"
		   "250 2.0.0 accepted\r\n221 2.0.0 bye\r\n",
	.heard = "[1]HELO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n"
		 "QUIT\r\n",
	.told = "BACKEND \n",
	.messages = 1,
	.suite = ""},
    {.name = "HELO by the MTA",
	.script = helo,
	.replies = R220 "250 back.test Hello\r\n" NOTED
			"250 2.1.5 recipient ok\r\n354 go on\r\n" SENT(PONY) BYE,
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n"
		 "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "host without PIPELINING: MAIL waits for its reply",
	.script = mail,
	.ehlo = no_pipelining,
	.replies = R220 "250 2.1.0 sender ok\r\n" TWO SENT(PONY) BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "MAIL answered before and refused: each RCPT is told",
	.script = mail,
	.rules = no_mail,
	.replies = R220 ALL_REFUSED("552 5.3.4 mx.test [192.0.2.1] said: too big\r\n") BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = UPGRADED,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "MAIL refused by a host that leaves: the same",
	.how = NO_SERVER,
	.script = mail,
	.rules = no_mail_and_gone,
	.replies = R220 ALL_REFUSED("554 5.7.1 mx.test [192.0.2.1] said: go away\r\n") BYE,
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\n",
	.told = FIRST,
	.suite = ""},
    {.name = "some recipients refused",
	.script = mail,
	.rules = bad_recipient,
	.replies = R220 NOTED "250 2.1.5 recipient ok\r\n"
			      "550 5.1.1 mx.test [192.0.2.1] said: no such user\r\n"
			      "354 go on\r\n" SENT(PONY) BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "DATA refused",
	.script = mail,
	.rules = no_data,
	.replies = R220 NOTED "250 2.1.5 recipient ok\r\n250 2.1.5 recipient ok\r\n"
			      "451 4.3.2 mx.test [192.0.2.1] said: not now\r\n" BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = UPGRADED,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "the final dot refused",
	.script = mail,
	.rules = no_dot,
	.replies = R220 NOTED TWO "550 5.7.1 mx.test [192.0.2.1] said: spam\r\n" BYE,
	.heard = "[1]" HEARD "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "two messages",
	.script = two,
	.replies = R220 NOTED TWO SENT(PONY) NOTED TWO SENT(PONY) BYE,
	.heard = "[1]" HEARD "MAIL FROM:<a@mta.test>\r\n" HEARD_RCPT "QUIT\r\n",
	.told = UPGRADED,
	.messages = 2,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "RSET, with MAIL sent and with MAIL held back",
	.script = reset,
	.replies = R220 NOTED "250 2.1.5 recipient ok\r\n250 2.0.0 reset\r\n" NOTED
			      "250 2.0.0 reset\r\n" NOTED TWO SENT(PONY) BYE,
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nRSET\r\n"
		 "RSET\r\nMAIL FROM:<a@mta.test>\r\n" HEARD_RCPT "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "a second EHLO with MAIL held back: MAIL is void",
	.script = again,
	.replies = R220 NOTED NOTED TWO SENT(PONY) BYE,
	.heard = "[1]EHLO mta.test\r\n" HEARD "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "an MTA that pipelines all that RFC 2920 lets it",
	.script = eager,
	.replies = R220 NOTED "250 2.1.5 recipient ok\r\n250 2.0.0 reset\r\n" NOTED
			      "250 2.1.5 recipient ok\r\n354 go on\r\n" SENT(PONY) NOTED
	"250 2.1.5 recipient ok\r\n250 2.0.0 ok\r\n354 go on\r\n" SENT(PONY) BYE,
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nRSET\r\n"
		 "MAIL FROM:<c@mta.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n"
		 "MAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nNOOP\r\nDATA\r\nQUIT\r\n",
	.told = UPGRADED,
	.messages = 2,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "EHLO refused, then HELO",
	.script = ehlo_helo,
	.rules = no_ehlo,
	.replies = R220
	"502 5.5.1 mx.test [192.0.2.1] said: what?\r\n250 back\r\n250 2.1.0 sender ok\r\n"
	"250 2.1.5 recipient ok\r\n" BYE,
	.heard = "[1]EHLO mta.test\r\nHELO mta.test\r\nMAIL FROM:<a@mta.test>\r\n"
		 "RCPT TO:<b@mx.test>\r\nQUIT\r\n",
	.told = UPGRADED,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "STARTTLS through the client: octets both ways",
	.how = NO_SERVER,
	.script = starttls,
	.replies = R220 "220 2.0.0 ready\r\n\x16\x03\x01 this is TLS\r\n.\r\n\xff",
	.heard = "[1]EHLO mta.test\r\nSTARTTLS\r\n\x16\x03\x01 this is TLS\r\n.\r\n\xff",
	.told = FIRST,
	.suite = "STARTTLS"},
    {.name = "STARTTLS through the server: octets both ways",
	.how = NO_CLIENT,
	.script = starttls,
	.replies = "220 2.0.0 ready\r\n\x16\x03\x01 this is TLS\r\n.\r\n\xff",
	.heard = "[1]EHLO mta.test\r\nSTARTTLS\r\n\x16\x03\x01 this is TLS\r\n.\r\n\xff",
	.told = "BACKEND \n",
	.suite = "STARTTLS"},
    {.name = "AUTH through the server, and no XPONY after it",
	.how = NO_CLIENT,
	.script = auth,
	.rules = login,
	.replies = "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 2.7.0 welcome\r\n"
		   "250 2.1.0 sender ok\r\n503 5.5.1 Bad sequence of commands\r\n"
		   "221 2.0.0 bye\r\n",
	.heard = "[1]EHLO mta.test\r\nAUTH LOGIN\r\nbWU=\r\nc2VjcmV0\r\n"
		 "MAIL FROM:<a@mta.test>\r\nQUIT\r\n",
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "a client that leaves in the middle of AUTH: so does the back end",
	.how = NO_CLIENT,
	.script = left_in_auth,
	.rules = login,
	.replies = "334 VXNlcm5hbWU6\r\n",
	.heard = "[1]EHLO mta.test\r\nAUTH LOGIN\r\n",
	.told = "BACKEND \n",
	.suite = ""},
};

int
main(void)
{
	SCENARIOS_RUN(scenarios);
	return tap_done();
}
