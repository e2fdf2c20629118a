/*
 * log - builds one escaped line and gives it to syslog (log.h has the form). Called by mains
 * and monitors; the engine has no syslog.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "lib/log.h"

#define LOG_ELLIPSIS "..."
#define LOG_VALUE_MAX 256 /* octets of one value as written: none may crowd out the others */

static bool verbose;

void
log_open(const char *program)
{
	openlog(program, LOG_PID | LOG_NDELAY, LOG_MAIL);
	tzset(); /* later its file may be out of reach */
}

void
log_verbose(bool on)
{
	verbose = on;
}

/* Appends n octets as they are, all or none; what does not fit ends the line for good. */
static void
put(struct log_line *l, const char *octets, size_t n)
{
	if (l->full)
		return;
	if (l->len + n + sizeof(LOG_ELLIPSIS) > sizeof(l->text)) {
		l->full = true;
		octets = LOG_ELLIPSIS;
		n = strlen(LOG_ELLIPSIS);
	}
	memcpy(l->text + l->len, octets, n);
	l->len += n;
	l->text[l->len] = '\0';
}

static void
put_text(struct log_line *l, const char *text)
{
	put(l, text, strlen(text));
}

/* Appends one octet of a value: itself, or \ooo when it is not printable, or is one of
 * `special`. */
static void
put_octet(struct log_line *l, uint8_t octet, const char *special)
{
	char text[5];

	if (octet >= ' ' && octet <= '~' && octet != '\\' && strchr(special, octet) == NULL) {
		text[0] = (char)octet;
		put(l, text, 1);
	} else {
		snprintf(text, sizeof(text), "\\%03o", octet);
		put(l, text, 4);
	}
}

static void
put_octets(struct log_line *l, const uint8_t *octets, size_t n, const char *special)
{
	const size_t begin = l->len;

	for (size_t i = 0; i < n; i++) {
		if (l->len - begin >= LOG_VALUE_MAX) {
			put_text(l, LOG_ELLIPSIS);
			break;
		}
		put_octet(l, octets[i], special);
	}
}

static void
put_key(struct log_line *l, const char *key)
{
	if (l->keyed)
		put_text(l, ", ");
	l->keyed = true;
	put_text(l, key);
	put_text(l, "=");
}

void
log_start(struct log_line *l, const char *queue_id)
{
	memset(l, 0, sizeof(*l));
	if (queue_id == NULL || queue_id[0] == '\0')
		return;
	put_octets(l, (const uint8_t *)queue_id, strlen(queue_id), "\" :,;=");
	put_text(l, ": ");
}

void
log_words(struct log_line *l, const char *words)
{
	if (l->keyed)
		put_text(l, ", ");
	l->keyed = true;
	put_octets(l, (const uint8_t *)words, strlen(words), "\"");
}

static bool
needs_quotes(const uint8_t *octets, size_t n)
{
	static const char special[] = {' ', ',', ';', '='};

	for (size_t i = 0; i < n; i++)
		if (memchr(special, octets[i], sizeof(special)) != NULL)
			return true;
	return n == 0;
}

void
log_add_octets(struct log_line *l, const char *key, const void *value, size_t n)
{
	bool quotes;

	put_key(l, key);
	quotes = needs_quotes(value, n);
	if (quotes)
		put_text(l, "\"");
	put_octets(l, value, n, "\"");
	if (quotes)
		put_text(l, "\"");
}

void
log_add(struct log_line *l, const char *key, const char *value)
{
	if (value != NULL)
		log_add_octets(l, key, value, strlen(value));
}

void
log_add_number(struct log_line *l, const char *key, long long value)
{
	log_addf(l, key, "%lld", value);
}

void
log_addf(struct log_line *l, const char *key, const char *format, ...)
{
	char value[LOG_VALUE_MAX + 1];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(value, sizeof(value), format, ap);
	va_end(ap);
	log_add(l, key, n < 0 ? "" : value);
}

/* "192.0.2.1" or "IPv6:2001:db8::1"; another family has no text. */
static void
format_address(char text[5 + INET6_ADDRSTRLEN], const struct sockaddr *address)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	strlcpy(text, "unknown", 5 + INET6_ADDRSTRLEN);
	if (address != NULL && address->sa_family == AF_INET) {
		memcpy(&in, address, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, text, INET6_ADDRSTRLEN);
	} else if (address != NULL && address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
			inet_ntop(AF_INET, in6.sin6_addr.s6_addr + 12, text, INET6_ADDRSTRLEN);
		} else {
			strlcpy(text, "IPv6:", 6);
			inet_ntop(AF_INET6, &in6.sin6_addr, text + 5, INET6_ADDRSTRLEN);
		}
	}
}

void
log_add_peer(
    struct log_line *l, const char *key, const char *name, const struct sockaddr *address)
{
	char text[5 + INET6_ADDRSTRLEN];

	put_key(l, key);
	if (name != NULL && name[0] != '\0') {
		/* No quotes around, so nothing in the name may look like the rest of the line.
		 */
		put_octets(l, (const uint8_t *)name, strlen(name), "\" ,;=[]");
		put_text(l, " ");
	}
	format_address(text, address);
	put_text(l, "[");
	put_text(l, text);
	put_text(l, "]");
}

void
log_send(const struct log_line *l, int priority)
{
	if (priority == LOG_DEBUG && !verbose)
		return;
	syslog(priority, "%s", l->text);
}
