/*
 * log - a log line made of a stranger's octets (lib/log.h): one line, which splits again into
 * the keys that were put in.
 *
 * Input: the queue id; then values, each behind its length.
 */
#include "fuzz/fuzz.h"

#include "lib/log.h"

/* Walks over one key=value, value in quotes or not. The octet behind it. */
static const char *
skip_value(const char *p)
{
	const bool quotes = *p == '"';

	if (quotes)
		p++;
	while (*p != '\0' && (quotes ? *p != '"' : *p != ',')) {
		if (*p == '\\') {
			HOLDS(strlen(p) >= 4 && strspn(p + 1, "01234567") >= 3);
			p += 4;
			continue;
		}
		HOLDS(quotes || (*p != ' ' && *p != ';' && *p != '='));
		p++;
	}
	if (quotes && *p == '"')
		p++;
	return p;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const char *at, *end;
	char id[64], key[8];
	struct log_line l;
	const uint8_t *value;
	unsigned put = 0, found = 0;

	fuzz_start();
	input_text(&in, id, sizeof id);
	log_start(&l, id);
	at = l.text + l.len;
	for (; in.left > 0 && put < 20; put++) {
		value = input_octets(&in, &n);
		(void)snprintf(key, sizeof key, "k%u", put);
		log_add_octets(&l, key, value, n);
	}
	HOLDS(l.len < LOG_LINE_MAX && l.text[l.len] == '\0' && strlen(l.text) == l.len);
	HOLDS(is_printable(l.text));
	if (l.full)
		HOLDS(l.len >= 3 && strcmp(l.text + l.len - 3, "...") == 0);
	end = l.text + l.len;
	while (!l.full && at < end) {
		(void)snprintf(key, sizeof key, "k%u=", found);
		HOLDS(strncmp(at, key, strlen(key)) == 0);
		at = skip_value(at + strlen(key));
		HOLDS(at == end || strncmp(at, ", ", 2) == 0);
		at += at == end ? 0 : 2;
		found++;
	}
	HOLDS(l.full || found == put);
	return 0;
}
