/*
 * advert - the words that make and take the offer (PROTOCOL.md, "Advertisement", "Upgrade command",
 * "Reply"). Formats and parses; knows no key but the public ones it carries.
 *
 *   advertisement   XPONY 1 <e> <suite>,<suite>...      or   XPONY 1 ROT13
 *   command         XPONY 1 <suite> <base64>            or   XPONY 1 ROT13
 *   reply           220-<base64> ... 220 <base64>       or   220 <anything>
 */
#ifndef XPONY_ADVERT_H
#define XPONY_ADVERT_H

#include "base64.h"
#include "buf.h"
#include "noise.h"
#include "smtp.h"
#include "suite.h"

#define ADVERT_MAX 480     /* octets in the advertisement's words, NUL included */
#define ADVERT_COMMAND_MAX 4096 /* octets in the command line, CRLF included */
#define ADVERT_SUITES_MAX 384

struct advert {
	char text[ADVERT_MAX];          /* the exact words, from XPONY on: part of the prologue */
	uint8_t e[NOISE_KEY];           /* unset for ROTn */
	int rot;                        /* 1..25 when the offer is ROTn, else 0 */
	char suites[ADVERT_SUITES_MAX]; /* comma-separated names, known and unknown */
};

/* What the server says: e and its suites, or rot > 0. */
void advert_make(struct advert *a, const uint8_t e[NOISE_KEY], const struct suite_list *suites);
void advert_make_rot(struct advert *a, int rot);

/* Finds the offer in the text of a greeting (its words after " ESMTP ", to the end of the line) or in
 * one line of an EHLO reply (the whole line text). ERR_NONE: *a is filled. ERR_MORE: no offer
 * there. ERR_SYNTAX: words that begin as an offer of version 1 and do not parse. Another version
 * number is no offer. */
enum err advert_find_greeting(struct advert *a, const uint8_t *text, size_t n);
enum err advert_find_keyword(struct advert *a, const uint8_t *text, size_t n);

/* The command line, CRLF included, appended to out. message_len octets of Noise message 2; rot > 0
 * writes the ROTn form instead. */
enum err advert_put_command(struct buf *out, const struct suite *suite, const uint8_t *message,
    size_t message_len);
enum err advert_put_command_rot(struct buf *out, int rot);

struct advert_command {
	char suite[SUITE_NAME_MAX + 1];
	int rot;             /* 1..25 or 0 */
	size_t message_len;
};

/* Parses a whole command line (CRLF included); message gets cap octets at most. ERR_SYNTAX for anything
 * unexpected, an over-long line included. Does not judge whether the suite is known. */
enum err advert_parse_command(struct advert_command *c, uint8_t *message, size_t cap,
    const uint8_t *line, size_t n);

/* The 220 reply that carries n octets; lines under 512 octets. */
enum err advert_put_reply(struct buf *out, const uint8_t *message, size_t n);
/* The octets of a whole 220 reply: the lines' base64 texts joined, then decoded. */
enum err advert_parse_reply(uint8_t *message, size_t cap, size_t *len, const struct smtp_reply *r,
    const uint8_t *p);

/* Handshake prologue (PROTOCOL.md, "Prologue"): label, advertisement text, suite name, each behind its u16
 * length. Returns its length; cap at least ADVERT_PROLOGUE_MAX. */
#define ADVERT_PROLOGUE_MAX (ADVERT_MAX + SUITE_NAME_MAX + 64)
size_t advert_prologue(uint8_t *out, size_t cap, const struct advert *a, const char *suite);

#endif
