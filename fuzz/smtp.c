/*
 * smtp - lines, replies and bodies as a mail host, a client or a back end may send them
 * (libxpony/smtp.h, the pure part of libxpony/dialogue.h).
 *
 * Input: what it is taken for, where it is cut in two, then the octets.
 */
#include "fuzz/fuzz.h"

#include "libxpony/dialogue.h"
#include "libxpony/smtp.h"

static void
look_at_line(const uint8_t *p, size_t line)
{
	const size_t n = smtp_line_text(p, line);
	const uint8_t *argument;
	size_t len = smtp_argument(p, line, &argument);
	enum smtp_verb verb = smtp_verb(p, line);
	bool clean;

	HOLDS(n <= line && line - n <= 2);
	HOLDS(argument >= p && argument + len == p + n);
	HOLDS(len == 0 || (*argument != ' ' && *argument != '\t'));
	clean = smtp_line_is_clean(p, line);
	HOLDS(!clean ||
	      (line == n + 2 && memchr(p, '\0', n) == NULL && memchr(p, '\r', n) == NULL));
	HOLDS(verb <= SMTP_GARBAGE);
	HOLDS(n > 0 || verb == SMTP_OTHER);
	(void)dialogue_barrier(verb);
	if (dialogue_wants_keyword(p, n, true))
		HOLDS(dialogue_wants_keyword(p, n, false) && verb != SMTP_XPONY);
}

static void
lines(const uint8_t *p, size_t n)
{
	char text[64];

	while (n > 0) {
		const size_t line = smtp_line(p, n);

		HOLDS(line <= n && (line == 0) == (memchr(p, '\n', n) == NULL));
		look_at_line(p, line > 0 ? line : n);
		dialogue_text(text, sizeof text, p, line > 0 ? line : n);
		HOLDS(is_printable(text));
		if (line == 0)
			return;
		HOLDS(memchr(p, '\n', line - 1) == NULL);
		p += line;
		n -= line;
	}
}

static void
look_at_reply(const struct smtp_reply *r, const uint8_t *p)
{
	const uint8_t *end = p, *text;

	HOLDS(r->code >= 200 && r->code <= 599 && r->lines > 0 && r->len <= SMTP_REPLY_MAX);
	HOLDS(p[r->len - 1] == '\n');
	for (size_t i = 0; i < r->lines; i++) {
		const size_t n = smtp_reply_text(r, p, i, &text);

		HOLDS(text >= end + 3 && text + n < p + r->len);
		HOLDS(n == 0 || memchr(text, '\n', n) == NULL);
		HOLDS(n <= SMTP_REPLY_LINE_MAX);
		HOLDS(smtp_enhanced(r->code, text, n) <= n);
		end = text + n;
	}
	HOLDS(smtp_reply_has_keyword(r, p, "PIPELINING") ==
	      smtp_reply_has_keyword(r, p, "pipelining"));
}

/* What a part of it says stands when the rest comes. */
static void
replies(const uint8_t *p, size_t n, size_t cut)
{
	struct smtp_reply part, whole;
	enum err e = smtp_reply_parse(&part, p, cut), f = smtp_reply_parse(&whole, p, n);

	HOLDS(e == ERR_MORE || e == f);
	if (e == ERR_NONE)
		HOLDS(memcmp(&part, &whole, sizeof part) == 0);
	HOLDS(n < SMTP_REPLY_MAX || f != ERR_MORE);
	if (f != ERR_NONE)
		return;
	HOLDS(whole.len <= n);
	look_at_reply(&whole, p);
}

/* The end of a body is where it is, however the octets come. */
static void
bodies(const uint8_t *p, size_t n, size_t cut)
{
	struct body one = {0}, two = {0};
	bool ended, ended_early;
	size_t whole = body_scan(&one, p, n, &ended),
	       part = body_scan(&two, p, cut, &ended_early);
	const uint8_t *dot = n >= 5 ? memmem(p, n, "\r\n.\r\n", 5) : NULL;
	size_t want = dot != NULL ? (size_t)(dot - p) + 5 : n;

	if (n >= 3 && memcmp(p, ".\r\n", 3) == 0)
		want = 3;
	HOLDS(whole == want && ended == (want == 3 ? memcmp(p, ".\r\n", 3) == 0 : dot != NULL));
	HOLDS(!ended_early || part == whole);
	if (!ended_early && cut < n)
		HOLDS(cut + body_scan(&two, p + cut, n - cut, &ended_early) == whole);
	HOLDS(ended_early == ended);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const uint8_t what = input_u8(&in);
	const size_t cut = input_size(&in, in.left);

	fuzz_start();
	/* A cut beyond what is left after its own two octets is none. */
	if (what % 3 == 0)
		lines(in.p, in.left);
	else if (what % 3 == 1)
		replies(in.p, in.left, cut < in.left ? cut : in.left);
	else
		bodies(in.p, in.left, cut < in.left ? cut : in.left);
	return 0;
}
