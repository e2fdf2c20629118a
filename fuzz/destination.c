/*
 * destination - what sendmail passes as $h: made from the domain of a stranger's address
 * (mailer/destination.h).
 *
 * Input: room for the fault; then the text.
 */
#include "fuzz/fuzz.h"

#include <netinet/in.h>

#include "lib/dns.h"
#include "mailer/destination.h"

static void
look_at(const struct destination *d)
{
	const size_t n = strnlen(d->name, sizeof d->name);

	HOLDS(n > 0 && n < sizeof d->name && is_printable(d->name));
	if (d->kind == DESTINATION_ADDRESS) {
		HOLDS(d->address.ss_family == AF_INET || d->address.ss_family == AF_INET6);
		HOLDS(d->name[0] == '[' && d->name[n - 1] == ']');
	} else {
		HOLDS(d->kind == DESTINATION_DOMAIN || d->kind == DESTINATION_HOST);
		HOLDS(dns_name_is_valid(d->name));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct destination_list list;
	struct input in = {p, n};
	const size_t cap = 1 + input_u8(&in);
	char *fault = malloc(cap), *text = malloc(n + 1);

	fuzz_start();
	HOLDS(fault != NULL && text != NULL);
	n = in.left;
	if (n > 0)
		memcpy(text, in.p, n);
	text[n] = '\0';
	fault[0] = '\0';
	if (destination_parse(&list, text, fault, cap)) {
		HOLDS(list.count >= 1 && list.count <= DESTINATION_MAX);
		for (size_t i = 0; i < list.count; i++)
			look_at(&list.item[i]);
	} else {
		HOLDS(memchr(fault, '\0', cap) != NULL && is_printable(fault));
		HOLDS(cap < 8 || fault[0] != '\0');
	}
	free(text);
	free(fault);
	return 0;
}
