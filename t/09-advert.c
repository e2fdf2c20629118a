/* advert: what is made is found again, decorated or not; every reason to refuse an offer, a
 * command, a reply. */
#include <sodium.h>
#include "tap.h"
#include "libxpony/advert.h"

#define U(text) ((const uint8_t *)(text))
#define SUITE "x25519-chachapoly"
#define E43 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" /* octets 0 to 31 */
#define OFFER "XPONY 1 " E43 " " SUITE
#define NAME10 "abcdefghij"
#define NAME40 NAME10 NAME10 NAME10 NAME10
#define LIST "," NAME40 "," NAME40 "," NAME40 "," NAME40

static uint8_t e[NOISE_KEY];
static const struct suite *suite;
static struct suite_list suites;

static enum err
greeting(struct advert *a, const char *text)
{
	return advert_find_greeting(a, U(text), strlen(text));
}

static enum err
keyword(struct advert *a, const char *text)
{
	return advert_find_keyword(a, U(text), strlen(text));
}

static void
test_make(void)
{
	struct advert a, b;
	char line[ADVERT_MAX + 64];
	unsigned bad = 0;

	advert_make(&a, e, &suites);
	is_str(a.text, OFFER, "the offer's words");
	is_str(a.suites, SUITE, "its suites");
	ok(a.rot == 0 && memcmp(a.e, e, NOISE_KEY) == 0, "its key");
	is_int(keyword(&b, a.text), ERR_NONE, "found in an EHLO line");
	is_mem(&b, sizeof b, &a, sizeof a, "the same in every octet");
	snprintf(line, sizeof line, "mx.example ESMTP %s", a.text);
	is_int(greeting(&b, line), ERR_NONE, "found in a greeting");
	is_mem(&b, sizeof b, &a, sizeof a, "the same in every octet");

	for (int rot = 1; rot <= 25; rot++) {
		advert_make_rot(&a, rot);
		bad += a.rot != rot || keyword(&b, a.text) != ERR_NONE || b.rot != rot;
		bad += strcmp(a.text, b.text) != 0 || b.suites[0] != '\0';
	}
	is_int(bad, 0, "ROT1 to ROT25 too");
	is_str(a.text, "XPONY 1 ROT25", "in these words");
}

static void
test_greeting(void)
{
	static const char *const found[] = {"mx ESMTP " OFFER, "mx.example esmtp " OFFER,
	    "mx ESMTP " OFFER " (filtered)", "[gate] mx ESMTP Filter ESMTP " OFFER,
	    "mx ESMTP ESMTP " OFFER, " ESMTP " OFFER " ESMTP " OFFER, "mx ESMTP " OFFER " "};
	static const char *const none[] = {"", "mx", "mx ESMTP", "mx ESMTP ",
	    "mx ESMTP Sendmail 8.17", "mx SMTP " OFFER, OFFER, "mx XESMTP " OFFER,
	    "mx ESMTPX " OFFER, "ESMTP " OFFER, "mx ESMTP  " OFFER, "mx ESMTP Postfix " OFFER,
	    "mx ESMTP XPONY", "mx ESMTP XPONY ", "mx ESMTP XPONY 2 x y",
	    "mx ESMTP XPONY 12 x y", "mx ESMTP XPONY 10", "mx ESMTP XPONY 01 x y",
	    "mx ESMTP XPONYS 1 x y", "mx ESMTP xpony 1 x y", "mx ESMTP XPONY  1 x y"};
	static const char *const bad[] = {"mx ESMTP XPONY 1", "mx ESMTP XPONY 1 ",
	    "mx ESMTP XPONY 1 " E43, "mx ESMTP XPONY 1 " E43 " ",
	    "mx ESMTP XPONY 1  " E43 " " SUITE, "mx ESMTP XPONY 1 ROT26",
	    "mx ESMTP XPONY 1 " E43 "  " SUITE};
	struct advert a;

	for (size_t i = 0; i < sizeof found / sizeof found[0]; i++) {
		is_int(greeting(&a, found[i]), ERR_NONE, "offer in \"%s\"", found[i]);
		is_str(a.text, OFFER, "without its decoration");
	}
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		is_int(greeting(&a, none[i]), ERR_MORE, "no offer in \"%s\"", none[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		is_int(greeting(&a, bad[i]), ERR_SYNTAX, "a broken offer in \"%s\"", bad[i]);
	is_int(
	    greeting(&a, "mx ESMTP XPONY 1 ROT13 (filtered)"), ERR_NONE, "ROT13 in a greeting");
	ok(a.rot == 13 && strcmp(a.text, "XPONY 1 ROT13") == 0, "without its decoration");
	is_int(advert_find_greeting(
		   &a, U("mx ESMTP " OFFER), strlen("mx ESMTP " OFFER) - sizeof SUITE),
	    ERR_SYNTAX, "only n octets are read");
	is_int(advert_find_greeting(&a, NULL, 0), ERR_MORE, "nothing");
}

static void
test_keyword(void)
{
	static const char *const none[] = {"", "X", "XPONY", "XPONY ", "XPONY 2 a b",
	    "XPONYX 1 a b", "SIZE 1000", "PIPELINING", " " OFFER, "XPONY 11", "XPONY 1\tx y"};
	static const char *const bad[] = {"XPONY 1", "XPONY 1 ", "XPONY 1 " E43, OFFER " ",
	    OFFER " more", OFFER ",", "XPONY 1 " E43 " ," SUITE, "XPONY 1 " E43 " a,,b",
	    "XPONY 1 " E43 " A", "XPONY 1 " E43 " a_b", "XPONY 1 " E43 " a\tb",
	    "XPONY 1 " E43 " a.b", "XPONY 1 " E43 " \xc3\xa9", "XPONY 1 " E43 "= " SUITE,
	    "XPONY 1 " E43 "A " SUITE, "XPONY 1 ROT13 ", "XPONY 1 ROT13 x", "XPONY 1 ROT0",
	    "XPONY 1 ROT", "XPONY 1 rot13", "XPONY 1 " E43 " " NAME40 "x",
	    /* e: too short, foreign, URL alphabet, trailing bits, beyond ASCII */
	    "XPONY 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh " SUITE,
	    "XPONY 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh= " SUITE,
	    "XPONY 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh- " SUITE,
	    "XPONY 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9 " SUITE,
	    "XPONY 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH\xff"
	    "8 " SUITE};
	struct advert a;

	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		is_int(keyword(&a, none[i]), ERR_MORE, "no offer: \"%s\"", none[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		is_int(keyword(&a, bad[i]), ERR_SYNTAX, "refused: \"%s\"", bad[i]);
	is_int(
	    advert_find_keyword(&a, U(OFFER "\0"), sizeof OFFER), ERR_SYNTAX, "refused: a NUL");

	is_int(keyword(&a, "XPONY 1 " E43 " new-kem-2031," SUITE ",z9"), ERR_NONE,
	    "unknown suites");
	is_str(a.suites, "new-kem-2031," SUITE ",z9", "are kept");
	is_str(a.text, "XPONY 1 " E43 " new-kem-2031," SUITE ",z9", "in the text too");
	is_int(keyword(&a, "XPONY 1 " E43 " " NAME40), ERR_NONE, "a name of 40");
	is_int(keyword(
		   &a, "XPONY 1 " E43 " a" LIST LIST ",23456789012345678901234567890123456789"),
	    ERR_NONE, "suites of 368 octets");
	is_int(strlen(a.suites), 368, "all kept");
	char line[ADVERT_MAX + 64];
	snprintf(line, sizeof line, "XPONY 1 %s %s,%.14s", E43, a.suites, NAME40);
	is_int(keyword(&a, line), ERR_NONE, "of 383, the most");
	is_int(strlen(a.suites), ADVERT_SUITES_MAX - 1, "kept as well");
	snprintf(line, sizeof line, "XPONY 1 %s %s%s", E43, a.suites, "k");
	is_int(keyword(&a, line), ERR_SYNTAX, "384 are too many");
}

static enum err
command(struct advert_command *c, uint8_t *message, size_t cap, const char *line)
{
	return advert_parse_command(c, message, cap, U(line), strlen(line));
}

static void
test_command(void)
{
	static uint8_t message[ADVERT_COMMAND_MAX], got[ADVERT_COMMAND_MAX];
	struct advert_command c;
	struct buf out;
	/* what "XPONY 1 x25519-chachapoly " and CRLF leave */
	size_t most = base64_octets(ADVERT_COMMAND_MAX - strlen("XPONY 1 " SUITE " \r\n"));

	for (size_t i = 0; i < sizeof message; i++)
		message[i] = (uint8_t)(i * 31);
	buf_init(&out, 2 * ADVERT_COMMAND_MAX);
	is_int(advert_put_command(&out, suite, e, NOISE_KEY), ERR_NONE, "a command");
	is_mem(buf_head(&out), buf_len(&out), "XPONY 1 " SUITE " " E43 "\r\n",
	    strlen("XPONY 1 " SUITE " " E43 "\r\n"), "in these words");
	is_int(advert_parse_command(&c, got, NOISE_KEY, buf_head(&out), buf_len(&out)),
	    ERR_NONE, "parses");
	is_str(c.suite, SUITE, "to the suite");
	is_mem(got, c.message_len, e, NOISE_KEY, "and the message");
	buf_clear(&out);

	is_int(advert_put_command(&out, suite, message, most), ERR_NONE, "the longest command");
	ok(buf_len(&out) <= ADVERT_COMMAND_MAX, "is no longer than allowed");
	is_int(advert_parse_command(&c, got, sizeof got, buf_head(&out), buf_len(&out)),
	    ERR_NONE, "parses");
	is_mem(got, c.message_len, message, most, "to the message");
	buf_clear(&out);
	is_int(advert_put_command(&out, suite, message, most + 1), ERR_LIMIT, "one octet more");
	is_int(advert_put_command(&out, suite, message, SIZE_MAX / 2), ERR_LIMIT, "many more");
	is_int(buf_len(&out), 0, "writes nothing");

	is_int(advert_put_command_rot(&out, 7), ERR_NONE, "a ROT7 command");
	is_mem(buf_head(&out), buf_len(&out), "XPONY 1 ROT7\r\n", 14, "in these words");
	is_int(advert_parse_command(&c, got, sizeof got, buf_head(&out), buf_len(&out)),
	    ERR_NONE, "parses");
	ok(c.rot == 7 && c.suite[0] == '\0' && c.message_len == 0, "to ROT7 alone");
	buf_free(&out);
	buf_init(&out, 10);
	is_int(advert_put_command(&out, suite, e, NOISE_KEY), ERR_LIMIT, "no room");
	is_int(advert_put_command_rot(&out, 7), ERR_LIMIT, "for either");
	is_int(buf_len(&out), 0, "writes nothing");
	buf_free(&out);

	is_int(command(&c, got, sizeof got, "xPony 1 no-such-suite AAAA\r\n"), ERR_NONE,
	    "the verb's case is folded, the suite not judged");
	is_str(c.suite, "no-such-suite", "but named");
	ok(c.message_len == 3 && c.rot == 0, "with its message");
	is_int(command(&c, got, sizeof got, "XPONY 1 " NAME40 " AAAA\r\n"), ERR_NONE,
	    "a name of 40");
}

static void
test_command_refused(void)
{
	static const char *const bad[] = {"", "\r\n", "XPONY\r\n", "XPONY 1\r\n",
	    "XPONY 1 \r\n", "XPONY 1 " SUITE "\r\n", "XPONY 1 " SUITE " \r\n",
	    "XPONY 1 " SUITE " AAAA", "XPONY 2 " SUITE " AAAA\r\n", "XPONY 1 " SUITE " AAAA\n",
	    "XPONY 1 " SUITE " AAAA\r", "XPONY 1 " SUITE " AAAA \r\n",
	    "XPONY 1 " SUITE " AAAA x\r\n", "XPONY 1 " SUITE "  AAAA\r\n",
	    "XPONY 1  " SUITE " AAAA\r\n", "XPONY  1 " SUITE " AAAA\r\n",
	    " XPONY 1 " SUITE " AAAA\r\n", "XPONY\t1 " SUITE " AAAA\r\n",
	    "XPONY 1 " SUITE " AAA=\r\n", "XPONY 1 " SUITE " AA==\r\n",
	    "XPONY 1 " SUITE " A\r\n", "XPONY 1 " SUITE " AB\r\n", "XPONY 1 " SUITE " AA-A\r\n",
	    "XPONY 1 X25519 AAAA\r\n", "XPONY 1 a,b AAAA\r\n", "XPONY 1 " NAME40 "x AAAA\r\n",
	    "XPONY 1 ROT13 AAAA\r\n", "XPONY 1 ROT13 \r\n", "XPONY 1 ROT26\r\n",
	    "XPONY 1 ROT13\n", "XPONY 1 rot13\r\n", "XPONY 1 " SUITE " AA\rA\r\n",
	    "XPONY 1 " SUITE " AAAA\r\nEHLO x\r\n", "EHLO 1 " SUITE " AAAA\r\n"};
	static char line[ADVERT_COMMAND_MAX + 8];
	static uint8_t got[ADVERT_COMMAND_MAX];
	struct advert_command c;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		is_int(command(&c, got, sizeof got, bad[i]), ERR_SYNTAX, "refused %zu: %.*s", i,
		    (int)strcspn(bad[i], "\r\n"), bad[i]);
	is_int(advert_parse_command(&c, got, sizeof got, U("XPONY 1 a AA\0A\r\n"), 15),
	    ERR_SYNTAX, "a NUL");
	is_int(command(&c, got, 2, "XPONY 1 a AAAA\r\n"), ERR_SYNTAX,
	    "a message beyond the room for it");

	/* One octet over the length, every word of it good. */
	memset(line, 'A', sizeof line);
	memcpy(line, "XPONY 1 abc ", 12);
	memcpy(line + ADVERT_COMMAND_MAX - 2, "\r\n", 2);
	bool fits = (ADVERT_COMMAND_MAX - 14) % 4 != 1;
	is_int(advert_parse_command(&c, got, sizeof got, U(line), ADVERT_COMMAND_MAX),
	    fits ? ERR_NONE : ERR_SYNTAX, "a line of 4096");
	memcpy(line, "XPONY 1 abcd ", 13);
	memcpy(line + ADVERT_COMMAND_MAX - 2, "A\r\n", 3);
	is_int(advert_parse_command(&c, got, sizeof got, U(line), ADVERT_COMMAND_MAX + 1),
	    ERR_SYNTAX, "one of 4097");
}

static void
test_reply(void)
{
	static const size_t sizes[] = {
	    0, 1, 64, 96, 377, 378, 379, 756, 757, 1088 + 64 + 300, 5000};
	static uint8_t message[12500], got[12500];
	struct smtp_reply r;
	struct buf out;
	size_t len;

	for (size_t i = 0; i < sizeof message; i++)
		message[i] = (uint8_t)(i * 13 + i / 256);
	buf_init(&out, SMTP_REPLY_MAX);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t n = sizes[i];
		unsigned wide = 0;

		is_int(
		    advert_put_reply(&out, message, n), ERR_NONE, "a reply with %zu octets", n);
		is_int(smtp_reply_parse(&r, buf_head(&out), buf_len(&out)), ERR_NONE,
		    "is an SMTP reply");
		ok(r.code == 220 && r.len == buf_len(&out), "220, nothing after it");
		for (size_t at = 0, line; at < r.len; at += line) {
			line = smtp_line(buf_head(&out) + at, r.len - at);
			wide += line >= 512 || !smtp_line_is_clean(buf_head(&out) + at, line);
		}
		is_int(wide, 0, "in clean lines under 512 octets");
		is_int(
		    advert_parse_reply(got, n, &len, &r, buf_head(&out)), ERR_NONE, "parses");
		is_mem(got, len, message, n, "to the same octets");
		buf_clear(&out);
	}
	is_int(advert_put_reply(&out, message, 12400), ERR_LIMIT, "more than a reply may hold");
	is_int(advert_put_reply(&out, message, SIZE_MAX), ERR_LIMIT, "much more");
	is_int(buf_len(&out), 0, "writes nothing");
	buf_free(&out);
	buf_init(&out, 600);
	is_int(advert_put_reply(&out, message, 500), ERR_LIMIT, "no room");
	is_int(buf_len(&out), 0, "writes nothing");
	buf_free(&out);
}

static void
test_reply_refused(void)
{
	static const struct {
		const char *text;
		enum err want;
	} cases[] = {{"220 AAAA\r\n", ERR_NONE}, {"220-AA\r\n220 AA\r\n", ERR_NONE},
	    {"220 AAAA\n", ERR_NONE}, {"220-AAAA\r\n220 \r\n", ERR_NONE},
	    {"250 AAAA\r\n", ERR_SYNTAX}, {"454 AAAA\r\n", ERR_SYNTAX},
	    {"220 AAAA \r\n", ERR_SYNTAX}, {"220  AAAA\r\n", ERR_SYNTAX},
	    {"220 AAA=\r\n", ERR_SYNTAX}, {"220 AAB\r\n", ERR_SYNTAX},
	    {"220 A\r\n", ERR_SYNTAX}, {"220 2.0.0 ready\r\n", ERR_SYNTAX},
	    {"220-AAA=\r\n220 AAAA\r\n", ERR_SYNTAX}, {"220 AAAAAAAAAAAAAAAA\r\n", ERR_LIMIT}};
	uint8_t got[9];
	struct smtp_reply r;
	size_t len;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (smtp_reply_parse(&r, U(cases[i].text), strlen(cases[i].text)) != ERR_NONE)
			bail("case %zu is no reply", i);
		is_int(advert_parse_reply(got, sizeof got, &len, &r, U(cases[i].text)),
		    cases[i].want, "reply %zu: %.*s", i, (int)strcspn(cases[i].text, "\r\n"),
		    cases[i].text);
		is_int(len, cases[i].want == ERR_NONE ? 3 : 0, "octets");
	}
}

static void
test_prologue(void)
{
	static const char want[] = "\0\7XPONY/1\0\x45" OFFER "\0\x11" SUITE;
	uint8_t out[ADVERT_PROLOGUE_MAX], other[ADVERT_PROLOGUE_MAX];
	struct advert a;
	char text[ADVERT_MAX];

	advert_make(&a, e, &suites);
	size_t n = advert_prologue(out, sizeof out, &a, SUITE);
	is_mem(out, n, want, sizeof want - 1, "label, text, suite, each behind its length");

	size_t m = advert_prologue(other, sizeof other, &a, "other");
	ok(n != m || memcmp(out, other, n) != 0, "another suite, another prologue");
	snprintf(text, sizeof text, "%s,zz", OFFER);
	keyword(&a, text);
	m = advert_prologue(other, sizeof other, &a, SUITE);
	ok(n != m || memcmp(out, other, n) != 0, "another list, another prologue");
	memset(a.text, 'x', sizeof a.text - 1);
	ok(advert_prologue(other, sizeof other, &a, NAME40) <= ADVERT_PROLOGUE_MAX,
	    "the longest fits");
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	for (size_t i = 0; i < sizeof e; i++)
		e[i] = (uint8_t)i;
	suite = suite_find(SUITE, strlen(SUITE));
	if (suite == NULL)
		bail("no suite " SUITE);
	/* Not the default list: its length grows with the table. */
	suites = (struct suite_list){{suite}, 1};
	test_make();
	test_greeting();
	test_keyword();
	test_command();
	test_command_refused();
	test_reply();
	test_reply_refused();
	test_prologue();
	return tap_done();
}
