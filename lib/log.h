/*
 * log - one line a session to syslog, facility mail, in sendmail's style:
 *
 *   Q1A2B3: relay=mx.example.org [192.0.2.1], suite=x25519-chachapoly, stat="250 2.0.0 ok"
 *
 * The line is built here in bounded memory and escaped here, whatever a peer put into a value:
 * an octet that is no printable ASCII, a quote or a backslash becomes \ooo; a value with a
 * space, a comma, a semicolon or an equals sign stands in quotes; a long one ends in "...". So
 * a line is one line and splits at ", " into key=value outside quotes. Called by mains and
 * monitors only.
 */
#ifndef BLACKPONY_LOG_H
#define BLACKPONY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define LOG_LINE_MAX                                                                           \
	900 /* octets, NUL included: with syslog's own words below RFC 3164's 1024 */

struct log_line {
	char text[LOG_LINE_MAX];
	size_t len; /* octets before the NUL */
	bool keyed; /* a key=value is there: the next goes behind ", " */
	bool full;  /* something did not fit: the line ends in "..." */
};

/* Opens syslog early, since a process in a chroot cannot; program is what stands before [pid].
 */
void log_open(const char *program);
/* With true LOG_DEBUG lines are sent too. */
void log_verbose(bool on);

/* Starts a line; queue_id may be NULL or empty. */
void log_start(struct log_line *l, const char *queue_id);
/* Words without a key, at the start of a line: "no host key". Escaped, never quoted. */
void log_words(struct log_line *l, const char *words);

/* Appends key=value. A NULL value appends nothing. key is a constant of ours. */
void log_add(struct log_line *l, const char *key, const char *value);
void log_add_octets(struct log_line *l, const char *key, const void *value, size_t n);
void log_add_number(struct log_line *l, const char *key, long long value);
/* Appends key=format...; the result is escaped as any value is. */
void log_addf(struct log_line *l, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* key=name [192.0.2.1] or, without a name, key=[192.0.2.1]; IPv6 as [IPv6:2001:db8::1], as
 * sendmail writes it. A v4-mapped address is written as the IPv4 address that it is. Not
 * quoted. */
void log_add_peer(
    struct log_line *l, const char *key, const char *name, const struct sockaddr *address);

/* To syslog with LOG_INFO and the like. The line stays as it is. */
void log_send(const struct log_line *l, int priority);

#endif
