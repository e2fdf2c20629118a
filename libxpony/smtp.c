/*
 * smtp - the grammar of SMTP lines. Called by the session engine on both sides, and by advert.
 *
 * Case is folded for ASCII only, whatever the locale: the octets are a stranger's.
 */
#include <string.h>
#include "smtp.h"

static const struct {
	const char *name;
	enum smtp_verb verb;
} verbs[] = {
    {"EHLO", SMTP_EHLO},
    {"HELO", SMTP_HELO},
    {"MAIL", SMTP_MAIL},
    {"RCPT", SMTP_RCPT},
    {"DATA", SMTP_DATA},
    {"BDAT", SMTP_BDAT},
    {"RSET", SMTP_RSET},
    {"NOOP", SMTP_NOOP},
    {"QUIT", SMTP_QUIT},
    {"AUTH", SMTP_AUTH},
    {"STARTTLS", SMTP_STARTTLS},
    {"ETRN", SMTP_ETRN},
    {"XPONY", SMTP_XPONY},
    /* A web or FTP client that was made to talk to us (hostile cross-protocol requests). */
    {"GET", SMTP_GARBAGE},
    {"POST", SMTP_GARBAGE},
    {"PUT", SMTP_GARBAGE},
    {"HEAD", SMTP_GARBAGE},
    {"CONNECT", SMTP_GARBAGE},
    {"OPTIONS", SMTP_GARBAGE},
    {"USER", SMTP_GARBAGE},
};

#define VERBS (sizeof verbs / sizeof verbs[0])

static uint8_t
upper(uint8_t c)
{
	return c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
}

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

bool
smtp_is(const uint8_t *p, size_t n, const char *word)
{
	if (strlen(word) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (upper(p[i]) != upper((uint8_t)word[i]))
			return false;
	return true;
}

size_t
smtp_line(const uint8_t *p, size_t n)
{
	const uint8_t *lf = n > 0 ? memchr(p, '\n', n) : NULL;

	return lf == NULL ? 0 : (size_t)(lf - p) + 1;
}

size_t
smtp_line_text(const uint8_t *p, size_t line)
{
	if (line > 0 && p[line - 1] == '\n') {
		line--;
		if (line > 0 && p[line - 1] == '\r')
			line--;
	}
	return line;
}

bool
smtp_line_is_clean(const uint8_t *p, size_t line)
{
	size_t n = smtp_line_text(p, line);

	if (line - n != 2)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\r' || p[i] == '\n' || p[i] == '\0')
			return false;
	return true;
}

/* Octets up to the first space or tab. */
static size_t
word_len(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != ' ' && p[i] != '\t')
		i++;
	return i;
}

/* Does a line without its end name the version of another protocol at its end, as requests of
 * HTTP, RTSP and SIP do, or at its beginning, as SSH does? */
static bool
is_foreign(const uint8_t *p, size_t n)
{
	static const char *const names[] = {"HTTP", "RTSP", "SIP"};
	size_t last = n, slash;

	if (n > 4 && smtp_is(p, 4, "SSH-"))
		return true;
	while (last > 0 && p[last - 1] != ' ')
		last--;
	for (slash = last; slash < n && p[slash] != '/'; slash++)
		;
	if (slash + 1 >= n || !is_digit(p[slash + 1]))
		return false;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (smtp_is(p + last, slash - last, names[i]))
			return true;
	return false;
}

enum smtp_verb
smtp_verb(const uint8_t *p, size_t line)
{
	size_t n = smtp_line_text(p, line);
	size_t word = word_len(p, n);

	if (n == 0)
		return SMTP_OTHER;
	if (upper(p[0]) < 'A' || upper(p[0]) > 'Z')
		return SMTP_GARBAGE;
	for (size_t i = 0; i < VERBS; i++)
		if (smtp_is(p, word, verbs[i].name))
			return verbs[i].verb;
	return is_foreign(p, n) ? SMTP_GARBAGE : SMTP_OTHER;
}

size_t
smtp_argument(const uint8_t *p, size_t line, const uint8_t **arg)
{
	size_t n = smtp_line_text(p, line);
	size_t i = word_len(p, n);

	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	*arg = p + i;
	return n - i;
}

/* Code and separator of one reply line without its line end. */
static bool
reply_line(const uint8_t *p, size_t n, int *code, bool *last)
{
	if (n < 3 || p[0] < '2' || p[0] > '5' || !is_digit(p[1]) || !is_digit(p[2]))
		return false;
	if (n > 3 && p[3] != ' ' && p[3] != '-')
		return false;
	*code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	*last = n == 3 || p[3] == ' ';
	return true;
}

/* The bounds are looked at before the grammar and also while a line is still growing, so that
 * the verdict is the same however the octets arrive. */
enum err
smtp_reply_parse(struct smtp_reply *r, const uint8_t *p, size_t n)
{
	bool last = false;

	*r = (struct smtp_reply){0};
	while (!last) {
		size_t rest = n - r->len;
		size_t line = rest > 0 ? smtp_line(p + r->len, rest) : 0;
		int code;

		if (line > SMTP_REPLY_LINE_MAX || r->len + line > SMTP_REPLY_MAX)
			return ERR_LIMIT;
		if (line == 0)
			return rest >= SMTP_REPLY_LINE_MAX || n >= SMTP_REPLY_MAX ? ERR_LIMIT
										  : ERR_MORE;
		if (!reply_line(p + r->len, smtp_line_text(p + r->len, line), &code, &last))
			return ERR_SYNTAX;
		if (r->lines > 0 && code != r->code)
			return ERR_SYNTAX;
		r->code = code;
		r->len += line;
		r->lines++;
	}
	return ERR_NONE;
}

size_t
smtp_reply_text(const struct smtp_reply *r, const uint8_t *p, size_t i, const uint8_t **text)
{
	size_t at = 0;
	size_t line = smtp_line(p, r->len);

	while (i-- > 0) {
		at += line;
		line = smtp_line(p + at, r->len - at);
	}
	size_t n = smtp_line_text(p + at, line);
	size_t skip = n > 3 ? 4 : 3; /* "250" alone has no separator */

	*text = p + at + skip;
	return n - skip;
}

/* Octets of ".ddd" (one to three digits) at p, 0 when it is not there. */
static size_t
dotted(const uint8_t *p, size_t n)
{
	size_t i = 1;

	if (n == 0 || p[0] != '.')
		return 0;
	while (i < n && i <= 3 && is_digit(p[i]))
		i++;
	return i > 1 ? i : 0;
}

size_t
smtp_enhanced(int code, const uint8_t *text, size_t n)
{
	int class = code / 100;

	if (n == 0 || class == 3 || text[0] != '0' + class) /* RFC 2034 has no class 3 */
		return 0;
	size_t subject = dotted(text + 1, n - 1);
	size_t detail = subject > 0 ? dotted(text + 1 + subject, n - 1 - subject) : 0;
	size_t len = 1 + subject + detail;

	if (detail == 0 || (len < n && text[len] != ' '))
		return 0;
	return len;
}

bool
smtp_reply_has_keyword(const struct smtp_reply *r, const uint8_t *p, const char *keyword)
{
	for (size_t i = 1; i < r->lines; i++) {
		const uint8_t *text;
		size_t n = smtp_reply_text(r, p, i, &text);

		if (smtp_is(text, word_len(text, n), keyword))
			return true;
	}
	return false;
}
