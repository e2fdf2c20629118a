/* smtp: lines, verbs, replies; whole and octet by octet; every reason to refuse. */
#include "tap.h"
#include "libxpony/smtp.h"

#define U(text) ((const uint8_t *)(text))

static void
test_lines(void)
{
	is_int(smtp_line(U("abc\r\ndef\r\n"), 10), 5, "a line with its CRLF");
	is_int(smtp_line(U("abc\ndef"), 7), 4, "a line with its LF");
	is_int(smtp_line(U("abc\r"), 4), 0, "not ended yet");
	is_int(smtp_line(U("\n"), 1), 1, "an empty line");
	is_int(smtp_line(NULL, 0), 0, "nothing");
	is_int(smtp_line_text(U("abc\r\n"), 5), 3, "text of a CRLF line");
	is_int(smtp_line_text(U("abc\n"), 4), 3, "of an LF line");
	is_int(smtp_line_text(U("abc\r\r\n"), 6), 4, "one CR belongs to the line end, no more");
	is_int(smtp_line_text(U("\r\n"), 2), 0, "of an empty line");
	is_int(smtp_line_text(U("\n"), 1), 0, "of a bare LF");

	ok(smtp_line_is_clean(U("abc\r\n"), 5), "clean");
	ok(smtp_line_is_clean(U("\r\n"), 2), "an empty line is clean");
	ok(smtp_line_is_clean(U("\xff\x01\t\r\n"), 5), "other octets do not matter");
	ok(!smtp_line_is_clean(U("abc\n"), 4), "not clean: bare LF at the end");
	ok(!smtp_line_is_clean(U("abc\r\r\n"), 6), "two CRs");
	ok(!smtp_line_is_clean(U("a\rc\r\n"), 5), "CR inside");
	ok(!smtp_line_is_clean(U("a\nc\r\n"), 5), "LF inside");
	ok(!smtp_line_is_clean(U("a\0c\r\n"), 5), "NUL inside");
	ok(!smtp_line_is_clean(U("\0\r\n"), 3), "NUL alone");
	ok(!smtp_line_is_clean(U("abc"), 3), "no line end");
	ok(!smtp_line_is_clean(U(""), 0), "nothing");
}

static void
test_verbs(void)
{
	static const struct {
		const char *line;
		enum smtp_verb verb;
	} cases[] = {{"EHLO mx.example\r\n", SMTP_EHLO}, {"ehlo mx.example\r\n", SMTP_EHLO},
	    {"HeLo x\r\n", SMTP_HELO}, {"MAIL FROM:<>\r\n", SMTP_MAIL},
	    {"RCPT TO:<a@b>\r\n", SMTP_RCPT}, {"DATA\r\n", SMTP_DATA}, {"data\n", SMTP_DATA},
	    {"BDAT 10 LAST\r\n", SMTP_BDAT}, {"RSET\r\n", SMTP_RSET}, {"NOOP\t\r\n", SMTP_NOOP},
	    {"QUIT\r\n", SMTP_QUIT}, {"AUTH PLAIN\r\n", SMTP_AUTH},
	    {"STARTTLS\r\n", SMTP_STARTTLS}, {"ETRN x\r\n", SMTP_ETRN},
	    {"XPONY 1 ROT13\r\n", SMTP_XPONY}, {"xpony\t1\r\n", SMTP_XPONY},
	    {"VRFY x\r\n", SMTP_OTHER}, {"MAILS\r\n", SMTP_OTHER}, {"MAI\r\n", SMTP_OTHER},
	    {"DATA\r\r\n", SMTP_OTHER}, {"QUIT:\r\n", SMTP_OTHER}, {"\r\n", SMTP_OTHER},
	    {"\n", SMTP_OTHER}, {"GET / HTTP/1.1\r\n", SMTP_GARBAGE},
	    {"post / HTTP/1.1\r\n", SMTP_GARBAGE}, {"PUT /x\r\n", SMTP_GARBAGE},
	    {"HEAD /\r\n", SMTP_GARBAGE}, {"CONNECT a:25\r\n", SMTP_GARBAGE},
	    {"OPTIONS *\r\n", SMTP_GARBAGE}, {"USER anonymous\r\n", SMTP_GARBAGE},
	    {"DELETE /x HTTP/1.1\r\n", SMTP_GARBAGE}, {"pri * http/2.0\r\n", SMTP_GARBAGE},
	    {"DESCRIBE rtsp://x RTSP/1.0\n", SMTP_GARBAGE},
	    {"INVITE x SIP/2.0\r\n", SMTP_GARBAGE}, {"PATCH /x HTTP/\r\n", SMTP_OTHER},
	    {"VRFY HTTPS/1\r\n", SMTP_OTHER}, {"HTTP/1.1 200 OK\r\n", SMTP_OTHER},
	    {"EHLO HTTP/1.1\r\n", SMTP_EHLO}, {"SSH-2.0-OpenSSH_9.2\r\n", SMTP_GARBAGE},
	    {"SSH\r\n", SMTP_OTHER}, {"GETS\r\n", SMTP_OTHER},
	    {"\x16\x03\x01\r\n", SMTP_GARBAGE}, {" EHLO x\r\n", SMTP_GARBAGE},
	    {"1\r\n", SMTP_GARBAGE}, {"@\r\n", SMTP_GARBAGE}, {"[\r\n", SMTP_GARBAGE},
	    {"`\r\n", SMTP_GARBAGE}, {"{\r\n", SMTP_GARBAGE}, {"\xc1\r\n", SMTP_GARBAGE},
	    {"a\r\n", SMTP_OTHER}, {"Z\r\n", SMTP_OTHER}};
	const uint8_t *arg;
	size_t n;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		is_int(smtp_verb(U(cases[i].line), strlen(cases[i].line)), cases[i].verb,
		    "verb %zu: %.*s", i, (int)strcspn(cases[i].line, "\r\n"), cases[i].line);

	n = smtp_argument(U("MAIL \t FROM:<> x \r\n"), 19, &arg);
	is_mem(arg, n, "FROM:<> x ", 10, "the argument, as it stands");
	is_int(smtp_argument(U("DATA\r\n"), 6, &arg), 0, "none");
	is_int(smtp_argument(U("DATA  \r\n"), 8, &arg), 0, "white space is none");
	is_int(smtp_argument(U("\r\n"), 2, &arg), 0, "none in an empty line");
	ok(smtp_is(U("eSmTp"), 5, "ESMTP") && !smtp_is(U("ESMT"), 4, "ESMTP"),
	    "words, case folded");
	ok(!smtp_is(U("ESMTP"), 5, "ESMT") && !smtp_is(U("{"), 1, "["), "but letters only");
}

/* The verdict on the whole is the verdict reached octet by octet, and no other one before. */
static enum err
parse(struct smtp_reply *r, const char *text, size_t n)
{
	enum err whole = smtp_reply_parse(r, U(text), n), e = ERR_MORE;
	struct smtp_reply step;

	for (size_t i = 0; i <= n && e == ERR_MORE; i++) {
		uint8_t *copy =
		    malloc(i + 1); /* exactly i octets, so that a look beyond is seen */
		if (copy == NULL)
			bail("memory");
		memcpy(copy, text, i);
		e = smtp_reply_parse(&step, copy, i);
		free(copy);
	}
	if (e != whole || (e == ERR_NONE && (step.len != r->len || step.lines != r->lines)))
		ok(false, "octet by octet %d, whole %d", (int)e, (int)whole);
	return whole;
}

static void
test_replies(void)
{
	static const char *const bad[] = {"\r\n", "25\r\n", "2x0 ok\r\n", "250x\r\n",
	    "250_ok\r\n", "199 no\r\n", "100 no\r\n", "600 no\r\n", "999 no\r\n", "025 no\r\n",
	    " 250 ok\r\n", "250\tok\r\n", "HTTP/1.1 400 Bad Request\r\n", "SSH-2.0-OpenSSH\r\n",
	    "-250 ok\r\n", "2500 ok\r\n", "250-a\r\n251 b\r\n", "250-a\r\n550 b\r\n",
	    "250-a\r\n\r\n", "250-a\r\nb\r\n", "+OK\r\n"};
	struct smtp_reply r;
	const uint8_t *text;

	is_int(parse(&r, "250 ok\r\n", 8), ERR_NONE, "one line");
	ok(r.code == 250 && r.len == 8 && r.lines == 1, "its code, length, lines");
	is_int(parse(&r, "220\r\n", 5), ERR_NONE, "a code alone");
	is_int(smtp_reply_text(&r, U("220\r\n"), 0, &text), 0, "has no text");
	is_int(parse(&r, "220 \n", 5), ERR_NONE, "an empty text, LF alone");
	is_int(smtp_reply_text(&r, U("220 \n"), 0, &text), 0, "has none either");
	is_int(parse(&r, "599 a\r\n", 7), ERR_NONE, "599");
	is_int(parse(&r, "200 a\r\n", 7), ERR_NONE, "200");

	static const char many[] =
	    "250-mx.example\r\n250-SIZE 1000\n250-\r\n250 XPONY 1 x\r\n354 more\r\n";
	is_int(smtp_reply_parse(&r, U(many), strlen(many)), ERR_NONE, "several lines");
	ok(r.code == 250 && r.lines == 4 && r.len == strlen(many) - 10,
	    "end before the next reply");
	size_t n = smtp_reply_text(&r, U(many), 0, &text);
	is_mem(text, n, "mx.example", 10, "text of the first line");
	n = smtp_reply_text(&r, U(many), 1, &text);
	is_mem(text, n, "SIZE 1000", 9, "of the second");
	is_int(smtp_reply_text(&r, U(many), 2, &text), 0, "of the empty one");
	n = smtp_reply_text(&r, U(many), 3, &text);
	is_mem(text, n, "XPONY 1 x", 9, "of the last");
	is_int(parse(&r, many, strlen(many) - 10), ERR_NONE, "the same octet by octet");

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		is_int(parse(&r, bad[i], strlen(bad[i])), ERR_SYNTAX, "refused: %.*s",
		    (int)strcspn(bad[i], "\r\n"), bad[i]);
	is_int(parse(&r, "", 0), ERR_MORE, "nothing yet");
	is_int(parse(&r, "250-a\r\n250", 10), ERR_MORE, "half a reply");
	is_int(parse(&r, "250 ok\r", 7), ERR_MORE, "half a line end");
}

static void
test_reply_limits(void)
{
	static char text[SMTP_REPLY_MAX + SMTP_REPLY_LINE_MAX];
	struct smtp_reply r;

	memset(text, 'x', sizeof text);
	memcpy(text, "250 ", 4);
	memcpy(text + SMTP_REPLY_LINE_MAX - 2, "\r\n", 2);
	is_int(parse(&r, text, SMTP_REPLY_LINE_MAX), ERR_NONE, "the longest line");
	memset(text + SMTP_REPLY_LINE_MAX - 2, 'x', 2);
	is_int(parse(&r, text, SMTP_REPLY_LINE_MAX - 1), ERR_MORE,
	    "a line that may still end in time");
	is_int(parse(&r, text, SMTP_REPLY_LINE_MAX), ERR_LIMIT, "an endless line");
	memcpy(text + SMTP_REPLY_LINE_MAX - 1, "\r\n", 2);
	is_int(
	    parse(&r, text, SMTP_REPLY_LINE_MAX + 1), ERR_LIMIT, "a line one octet too long");

	for (size_t i = 0; i + 16 <= sizeof text; i += 16)
		memcpy(text + i, "250-abcdefghij\r\n", 16);
	is_int(parse(&r, text, SMTP_REPLY_MAX - 16), ERR_MORE, "many lines");
	is_int(parse(&r, text, SMTP_REPLY_MAX), ERR_LIMIT, "an endless reply");
	text[SMTP_REPLY_MAX - 13] = ' ';
	is_int(parse(&r, text, SMTP_REPLY_MAX), ERR_NONE, "the longest reply");
	memcpy(text + SMTP_REPLY_MAX - 16, "250 abcdefghijk\r\n", 17);
	is_int(parse(&r, text, SMTP_REPLY_MAX + 1), ERR_LIMIT, "one octet longer");
}

static void
test_enhanced(void)
{
	static const struct {
		int code;
		const char *text;
		size_t len;
	} cases[] = {{250, "2.1.0 ok", 5}, {250, "2.1.0", 5}, {550, "5.7.123 no", 7},
	    {451, "4.10.999 x", 8}, {250, "5.1.0 ok", 0}, {250, "2.1 ok", 0}, {250, "2.1.", 0},
	    {250, "2..0 ok", 0}, {250, "2.1.0.1 ok", 0}, {250, "2.1.0x", 0},
	    {250, "2.1.1234 x", 0}, {250, "2.1234.1 x", 0}, {250, "", 0}, {250, "2", 0},
	    {250, "2.", 0}, {354, "3.0.0 go", 0}, {250, " 2.1.0", 0}, {250, "22.1.0 x", 0},
	    {250, "ok", 0}};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		is_int(smtp_enhanced(cases[i].code, U(cases[i].text), strlen(cases[i].text)),
		    cases[i].len, "enhanced: %d %s", cases[i].code, cases[i].text);
	is_int(smtp_enhanced(250, U("2.1.01"), 5), 5, "only n octets are looked at");
}

static void
test_keywords(void)
{
	static const char ehlo[] = "250-PIPELINING hello\r\n250-size 1000\r\n250-STARTTLSX\r\n"
				   "250-8BITMIME\r\n250 DSN\r\n";
	struct smtp_reply r;

	smtp_reply_parse(&r, U(ehlo), strlen(ehlo));
	ok(smtp_reply_has_keyword(&r, U(ehlo), "SIZE"), "case folded, with a parameter");
	ok(smtp_reply_has_keyword(&r, U(ehlo), "8bitmime"), "alone in its line");
	ok(smtp_reply_has_keyword(&r, U(ehlo), "DSN"), "in the last line");
	ok(!smtp_reply_has_keyword(&r, U(ehlo), "STARTTLS"), "a longer word is another one");
	ok(!smtp_reply_has_keyword(&r, U(ehlo), "PIPELINING"),
	    "the first line holds the host's name");
	ok(!smtp_reply_has_keyword(&r, U(ehlo), "1000"), "a parameter is no keyword");
}

int
main(void)
{
	test_lines();
	test_verbs();
	test_replies();
	test_reply_limits();
	test_enhanced();
	test_keywords();
	return tap_done();
}
