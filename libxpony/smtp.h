/*
 * smtp - the grammar of SMTP lines that both programs need (RFC 5321 section 4). It looks at
 * octets and says what they are; it never changes them: what is passed on is passed on verbatim.
 */
#ifndef XPONY_SMTP_H
#define XPONY_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"

#define SMTP_COMMAND_MAX 12288 /* octets in a command line, CRLF included (RFC 4954: AUTH) */
#define SMTP_REPLY_LINE_MAX 2048 /* octets in one reply line we accept, CRLF included */
#define SMTP_REPLY_MAX 16384   /* octets in a whole multi-line reply we accept */

enum smtp_verb {
	SMTP_OTHER,   /* a verb we need not know */
	SMTP_EHLO, SMTP_HELO, SMTP_MAIL, SMTP_RCPT, SMTP_DATA, SMTP_BDAT, SMTP_RSET, SMTP_NOOP,
	SMTP_QUIT, SMTP_AUTH, SMTP_STARTTLS, SMTP_ETRN, SMTP_XPONY,
	SMTP_GARBAGE, /* HTTP and other protocols: GET, POST, PUT, HEAD, CONNECT, OPTIONS, USER, any
	                 other verb with HTTP/1.1 or the like at the end, SSH-2.0 or the like, or a
	                 line whose first octet is no letter (an empty line is SMTP_OTHER) */
};

/* Is p[0..n) this word, ASCII case folded? */
bool smtp_is(const uint8_t *p, size_t n, const char *word);

/* Length of the first line in p[0..n), its LF included; 0 when no LF is there yet. */
size_t smtp_line(const uint8_t *p, size_t n);
/* The same line's length without its CRLF or LF. */
size_t smtp_line_text(const uint8_t *p, size_t line);
/* True when the line ends in CRLF and has no other CR, LF and no NUL inside. */
bool smtp_line_is_clean(const uint8_t *p, size_t line);

/* The verb of a command line (case folded, ended by space, tab or line end). */
enum smtp_verb smtp_verb(const uint8_t *p, size_t line);
/* The argument: what follows the verb and its white space, without line end. Returns its length. */
size_t smtp_argument(const uint8_t *p, size_t line, const uint8_t **arg);

/* A reply, possibly of several lines, at the front of p[0..n). */
struct smtp_reply {
	int code;          /* 200..599 */
	size_t len;        /* octets of the whole reply, last line end included */
	size_t lines;
};

/* ERR_NONE: a whole reply is there. ERR_MORE: not yet. ERR_SYNTAX: no reply (code, separator, codes
 * that differ between the lines). ERR_LIMIT: longer than the bounds above. Line ends may be CRLF or LF. */
enum err smtp_reply_parse(struct smtp_reply *r, const uint8_t *p, size_t n);

/* The text of the i-th line (0-based) of a whole reply: after code and separator, without line end.
 * Returns its length, sets *text. i < r->lines. */
size_t smtp_reply_text(const struct smtp_reply *r, const uint8_t *p, size_t i, const uint8_t **text);

/* Length of an enhanced status code (RFC 2034: "d.d.d", class equal to the reply's first digit) at
 * the start of a reply text, 0 when there is none. */
size_t smtp_enhanced(int code, const uint8_t *text, size_t n);

/* Does the i-th line of an EHLO reply carry this keyword (case folded; i >= 1)? */
bool smtp_reply_has_keyword(const struct smtp_reply *r, const uint8_t *p, const char *keyword);

#endif
