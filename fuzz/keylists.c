/*
 * keylists - the two lists of keys: relay-keys (receiver/relaykeys.h) and siblings
 * (receiver/promise.c), and the name that a client says it meant.
 *
 * Input: that name and ours; then the file.
 */
#include "receiver/promise.c"

#include <strings.h>

#include "fuzz/fuzz.h"
#include "receiver/relaykeys.h"

static void
names(const char *meant, const char *name)
{
	const bool own = relaykeys_is_own_name(meant, name);
	char dotted[260];

	(void)snprintf(dotted, sizeof dotted, "%s.", meant);
	HOLDS(!own || strchr(name, '.') != NULL);
	HOLDS(!own || strncasecmp(meant, name, strlen(name) - 1) == 0);
	if (meant[0] != '\0' && meant[strlen(meant) - 1] != '.')
		HOLDS(relaykeys_is_own_name(dotted, name) == own);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char meant[256], name[256], why[PROMISE_REASON_MAX] = "";
	struct commitment commitment = {0};
	struct listing siblings = {.c = &commitment, .why = why};
	uint8_t public[KEY_OCTETS] = {0};
	struct relaykeys relay, nobody;
	struct input in = {p, n};
	const char *text;
	bool good, few;

	fuzz_start();
	input_text(&in, meant, sizeof meant);
	input_text(&in, name, sizeof name);
	names(meant, name);
	text = (const char *)in.p;
	good = relaykeys_parse(&relay, "/r", text, in.left, public, why);
	HOLDS(
	    good || (strlen(why) > 3 && is_printable(why) && relay.keys == 0 && !relay.listed));
	HOLDS(relaykeys_parse(&nobody, "/r", text, in.left, NULL, why) == good);
	HOLDS(nobody.keys == relay.keys && !nobody.listed);
	/* One grammar; only the number of siblings is bounded. */
	few = add_lines(&siblings, "/s", text, in.left);
	HOLDS(commitment.keys <= PROMISE_KEYS);
	HOLDS(!few || (good && commitment.keys <= relay.keys));
	HOLDS(few || !good || commitment.keys == PROMISE_KEYS);
	for (size_t i = 0; i < commitment.keys; i++)
		for (size_t k = 0; k < i; k++)
			HOLDS(memcmp(commitment.key[i], commitment.key[k], KEY_HASH) != 0);
	return 0;
}
