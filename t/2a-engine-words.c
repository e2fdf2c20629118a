/*
 * engine-words - the rarer words of a dialogue: what an MTA may say before the host has spoken
 * and after it is lost, hosts that refuse in several lines, a demand for STARTTLS, ROT13 to a
 * back end that wants nobody.
 */
#include "engine-scenario.h"

#define SEQUENCE "503 5.5.1 Bad sequence of commands\r\n"
#define ASK(kind) (1u << SESSION_ASK_##kind)

static const struct say early[] = {SAY("NOOP\r\n", 1), SAY("EHLO\r\n", 1),
    SAY("MAIL FROM:<a@mta.test>\r\n", 1), SAY("QUIT\r\n", 1), END};
static const struct say lost[] = {EHLO, SAY("RSET\r\n", 1), SAY("NOOP\r\n", 1),
    SAY("VRFY a\r\n", 1), MAIL, SAY("RCPT TO:<b@mx.test>\r\n", 1), SAY("HELO a\r\n", 1), QUIT,
    END};
static const struct say one_mail[] = {
    EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2), BODY, QUIT, END};
static const struct say one_rcpt[] = {EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\n", 1), QUIT, END};
static const struct say auth[] = {EHLO, SAY("AUTH PLAIN\r\n", 1), SAY("*\r\n", 1), QUIT, END};
static const struct say ehlo_only[] = {EHLO, QUIT, END};
static const struct say quit_only[] = {SAY("QUIT\r\n", 1), END};
static const struct say nothing[] = {END};
static const struct say client_hello[] = {SAY("\x16\x03\x01", 1), END};
static const struct say rot_and_more[] = {SAY("XPONY 1 ROT13 x\r\n", 1), END};
static const struct say rot_and_go[] = {SAY("XPONY 1 ROT13\r\n", 1), END};

static const struct rule several_lines[] = {
    {"RCPT", "550-5.1.1 no such\r\n550-5.1.1 user\r\n550 5.1.1 here", false}, NO_MORE};
static const struct rule no_ehlo[] = {{"EHLO", "550 5.0.0 not you", false}, NO_MORE};
static const struct rule odd_rcpt[] = {{"RCPT", "hello there", false}, NO_MORE};
static const struct rule odd_ehlo[] = {{"EHLO", "hello there", false}, NO_MORE};

static const struct scenario scenarios[] = {
    {.name = "before the host has spoken",
	.how = MUTE | NO_SERVER,
	.script = early,
	.replies = R220 SEQUENCE "501 5.5.4 Malformed command or argument\r\n" SEQUENCE BYE,
	.told = FIRST,
	.suite = ""},
    {.name = "no host at all",
	.script = lost,
	.refuse_client = ASK(HOP),
	.refusal = "451 4.4.1 all hosts down",
	.replies = R220 "250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n" SEQUENCE
			"250 2.1.0 Sender noted\r\n451 4.4.1 all hosts down\r\n" BYE,
	.told = "refused 4\n",
	.suite = ""},
    {.name = "a refusal of several lines",
	.script = one_rcpt,
	.rules = several_lines,
	.replies = R220 NOTED "550-5.1.1 mx.test [192.0.2.1] said: no such\r\n"
			      "550-5.1.1 user\r\n550 5.1.1 here\r\n" BYE,
	.told = UPGRADED,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "a client that goes at once",
	.how = NO_CLIENT,
	.script = quit_only,
	.replies = "221 2.0.0 mx.test closing connection\r\n",
	.told = "",
	.suite = ""},
    {.name = "a client that says nothing",
	.how = NO_CLIENT,
	.script = nothing,
	.replies = "",
	.told = "",
	.suite = ""},
    {.name = "TLS at the wrong port",
	.how = NO_CLIENT,
	.script = client_hello,
	.replies = "554 5.5.1 This is an SMTP server\r\n",
	.told = "",
	.suite = ""},
    {.name = "ROT13 in the EHLO reply",
	.how = NO_CLIENT | ROT,
	.script = ehlo_only,
	.replies = "221 2.0.0 bye\r\n",
	.told = "BACKEND \n",
	.suite = ""},
    {.name = "a back end that does not take the early EHLO",
	.script = ehlo_only,
	.rules = no_ehlo,
	.replies = R220 "550 5.0.0 mx.test [192.0.2.1] said: not you\r\n" BYE,
	.told = UPGRADED,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "a back end that answers EHLO with no reply",
	.script = ehlo_only,
	.rules = odd_ehlo,
	.replies = R220 BYE,
	.told = UPGRADED "HOP REFUSED 421 4.3.0 Out of resources, try again later\n",
	.suite = ""},
    {.name = "AUTH, given up",
	.script = auth,
	.replies = R220 "334 \r\n500 5.5.1 mx.test [192.0.2.1] said: unknown\r\n" BYE,
	.told = UPGRADED,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "ROT13 and a word more",
	.how = NO_CLIENT | ROT,
	.script = rot_and_more,
	.replies = "501 5.5.4 Malformed command or argument\r\n",
	.told = "",
	.suite = ""},
    {.name = "a back end that answers RCPT with no reply",
	.script = one_rcpt,
	.rules = odd_rcpt,
	.replies = R220 NOTED
	"451 4.3.0 mx.test [192.0.2.1] said: Out of resources, try again later\r\n" BYE,
	.told = UPGRADED,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "ROT13 to a back end that wants nobody",
	.how = NO_CLIENT | ROT,
	.script = rot_and_go,
	.greeting = "554 5.0.0 not you\r\n",
	.replies = "220 2.0.0 ROT13\r\n",
	.told = "BACKEND after upgrade ROT13\n",
	.suite = "ROT13"},
};

/* ---- What the monitor says, where the harness' own is too simple ---- */

typedef void adjust_answer(struct session_answer *a);

static void
leave_alone(struct session_answer *a)
{
	(void)a;
}

static void
run_with(struct world *w, adjust_answer *client, adjust_answer *server)
{
	new_session(w, &w->client, SESSION_CLIENT);
	for (int idle = 0; idle < 20 && (is_running(&w->client) || is_running(&w->server));
	     idle++) {
		bool busy = true;

		while (busy) {
			if (w->client.answered)
				client(&w->client.answer);
			if (w->server.answered)
				server(&w->server.answer);
			busy = all_turns(w);
		}
		time_out(w);
	}
}

static void
demand_starttls(struct session_answer *a)
{
	if (a->kind == SESSION_ASK_CLEAR)
		a->enforce_tls = 1;
	if (a->kind == SESSION_ASK_HOP)
		snprintf(a->host, sizeof a->host, "[192.0.2.1]");
}

static void
only_address(struct session_answer *a)
{
	if (a->kind == SESSION_ASK_HOP)
		snprintf(a->host, sizeof a->host, "[192.0.2.1]");
}

/* As from a peer's point of small order, which the monitor would not let pass. */
static void
zero_dh(struct session_answer *a)
{
	memset(a->dh, 0, sizeof a->dh);
}

static void
want_hybrid(struct session_answer *a)
{
	a->suites = SESSION_SUITES_PQ;
}

static void
want_classical(struct session_answer *a)
{
	a->suites = SESSION_SUITES_CLASSICAL;
}

/* Also the host that is known by its address alone, which is named once. */
static void
test_starttls(void)
{
	static const struct say tls[] = {
	    EHLO, SAY("STARTTLS\r\n", 1), {.text = "\x16\x03", .raw = 2}, END};
	static const struct say no_tls[] = {
	    EHLO, SAY("STARTTLS\r\n", 1), {.text = "MAIL", .raw = 4}, END};
	static const struct {
		const char *what;
		const struct say *script;
		const char *heard;
		bool lost;
	} rows[] = {{"mail in clear where STARTTLS is demanded is not sent", one_mail,
			"[1]EHLO mta.test\r\n", false},
	    {"octets that are no TLS, neither", no_tls, "[1]EHLO mta.test\r\nSTARTTLS\r\n",
		true},
	    {"TLS is passed on", tls, "[1]EHLO mta.test\r\nSTARTTLS\r\n\x16\x03", false}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world w;

		world_init(&w);
		w.no_server = true;
		w.talker.script = rows[i].script;
		run_with(&w, demand_starttls, leave_alone);
		is_str(text_of(&w.heard), rows[i].heard, "%s", rows[i].what);
		if (i == 0)
			ok(holds(&w.mta_in, "451 4.7.5 ", 10), "and the MTA is told why");
		world_free(&w);
	}
}

static void
test_suites(void)
{
	struct world w;

	world_init(&w);
	w.talker.script = one_mail;
	run_with(&w, want_hybrid, leave_alone);
	is_str(w.client_report.suite, "mlkem768x25519-chachapoly", "with a KEM, where told so");
	is_int(w.messages, 1, "the mail is there");
	world_free(&w);
	world_init(&w);
	w.talker.script = one_mail;
	run_with(&w, want_classical, leave_alone);
	is_str(w.client_report.suite, "x25519-chachapoly", "without, where told so");
	is_int(w.messages, 1, "the mail is there");
	world_free(&w);
}

static void
test_address(void)
{
	struct world w;

	world_init(&w);
	w.no_server = true;
	w.talker.script = one_mail;
	run_with(&w, only_address, leave_alone);
	ok(holds(&w.mta_in, "250 2.0.0 [192.0.2.1]: accepted\r\n", 33),
	    "a host without a name is named once");
	world_free(&w);
}

static void
test_zero(void)
{
	struct world w;

	for (int server = 0; server < 2; server++) {
		world_init(&w);
		w.talker.script = one_mail;
		run_with(&w, server ? leave_alone : zero_dh, server ? zero_dh : leave_alone);
		is_int(w.messages, 0, "a Diffie-Hellman of zero from the %s's monitor: no mail",
		    server ? "server" : "client");
		ok(holds(&w.told, "HOP UPGRADE ", 12), "the upgrade has failed");
		ok(holds(&w.mta_in, "\n451 4.", 7), "the MTA shall try again");
		world_free(&w);
	}
}

/* Two that are turned by different amounts speak in clear. */
static void
test_two_rots(void)
{
	struct world w;

	world_init(&w);
	w.rot_client = 13;
	w.rot_server = 14;
	w.talker.script = one_mail;
	world_run(&w);
	is_int(w.messages, 1, "ROT13 where ROT14 is offered: the mail is there");
	is_str(w.client_report.suite, "", "in clear");
	world_free(&w);
}

/* The MTA keeps still: without a host, and inside TLS. */
static void
test_still(void)
{
	static const struct say no_host[] = {EHLO, END};
	static const struct say tls[] = {EHLO, SAY("STARTTLS\r\n", 1), END};

	for (int in_tls = 0; in_tls < 2; in_tls++) {
		struct world w;

		world_init(&w);
		w.no_server = true;
		w.monitor.refuse_client = in_tls ? 0 : ASK(HOP);
		w.monitor.text = "451 4.4.1 all hosts down";
		w.talker.script = in_tls ? tls : no_host;
		w.talker.stays = true;
		run_with(&w, leave_alone, leave_alone);
		ok(!is_running(&w.client) && w.stalls == 1, "an MTA that keeps still%s is left",
		    in_tls ? " in TLS" : "");
		world_free(&w);
	}
}

/* Between the XPONY line and the reply to it the client may say nothing and must not go. */
static void
test_disturbed(void)
{
	static const char *const more[] = {"NOOP\r\n", NULL};
	static const char *const want[] = {"503 5.5.1 Bad sequence of commands\r\n", ""};

	for (int i = 0; i < 2; i++) {
		struct world w;
		size_t greeting;

		world_init(&w);
		w.talker.script = one_mail;
		new_session(&w, &w.client, SESSION_CLIENT);
		while (!w.server.answered && all_turns(&w))
			;
		w.server.answered = false; /* the monitor takes its time */
		greeting = w.tape[S2C].n;
		if (more[i] != NULL)
			puts_to(&w.wire[C2S], more[i]);
		else
			w.wire[C2S].ended = true;
		while (turn(&w, &w.server))
			;
		is_str(text_of(&w.tape[S2C]) + greeting, want[i], "%s during the handshake",
		    more[i] != NULL ? "a command" : "the end");
		ok(!holds(&w.told, "BACKEND", 7), "and no back end");
		is_int(
		    w.server_report.fault, i == 0 ? ERR_SEQUENCE : ERR_TRUNCATED, "its fault");
		world_free(&w);
	}
}

static void
test_long(void)
{
	char *text = malloc(SMTP_COMMAND_MAX + 10);
	struct world w;

	if (text == NULL)
		bail("out of memory");
	memset(text, 'x', SMTP_COMMAND_MAX + 9);
	text[SMTP_COMMAND_MAX + 9] = '\0';
	world_init(&w);
	struct say script[] = {SAY(text, 1), END};
	w.talker.script = script;
	world_run(&w);
	is_str(text_of(&w.mta_in), R220 "500 5.5.2 Line too long\r\n",
	    "a line without an end from the MTA itself");
	world_free(&w);
	free(text);
}

int
main(void)
{
	SCENARIOS_RUN(scenarios);
	test_starttls();
	test_suites();
	test_address();
	test_zero();
	test_two_rots();
	test_still();
	test_disturbed();
	test_long();
	return tap_done();
}
