/*
 * pin - writes what a mailer would remember of a host into a pin store, as of long ago. Called
 * by t/5*.sh and chaos/run, as the user of the store.
 *
 *   pin directory fingerprint first last until <LINES
 *       of each line "domain host": this key, seen first and last so many seconds ago, and
 *       committed for so many seconds to come (0: not)
 *   pin directory alive address...
 *       these are no longer taken for dead
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/key.h"
#include "lib/pins.h"

static bool
set(struct pins_host *host, void *context)
{
	const struct pins_key *key = context;

	memset(host, 0, sizeof(*host));
	host->keys = 1;
	host->key[0] = *key;
	host->last_upgraded = key->last_seen;
	return true;
}

static int
alive(const char *directory, char **addresses)
{
	char why[PINS_REASON_MAX];
	struct pins *pins = pins_open(directory, why);

	if (pins == NULL)
		errx(1, "%s", why);
	for (; *addresses != NULL; addresses++)
		pins_mark_alive(pins, *addresses);
	pins_close(pins);
	return 0;
}

int
main(int argc, char **argv)
{
	struct pins_key key = {.count = 2};
	char why[PINS_REASON_MAX], line[1024], domain[PINS_NAME_MAX], mx[PINS_NAME_MAX];
	const int64_t now = time(NULL);
	struct pins *pins;
	int64_t until;

	if (argc > 3 && strcmp(argv[2], "alive") == 0)
		return alive(argv[1], argv + 3);
	if (argc != 6)
		errx(64, "usage: pin directory fingerprint first last until <lines, or pin "
			 "directory alive address...");
	if (!key_fingerprint_read(key.fingerprint, argv[2], strlen(argv[2])))
		errx(64, "%s is no fingerprint", argv[2]);
	key.first_seen = now - strtoll(argv[3], NULL, 10);
	key.last_seen = now - strtoll(argv[4], NULL, 10);
	until = strtoll(argv[5], NULL, 10);
	key.committed_until = until > 0 ? now + until : 0;
	key.max_age = until > 0 ? 30 * 86400 : 0;
	if ((pins = pins_open(argv[1], why)) == NULL)
		errx(1, "%s", why);
	while (fgets(line, sizeof(line), stdin) != NULL)
		if (sscanf(line, "%255s %255s", domain, mx) != 2 ||
		    !pins_update(pins, domain, mx, set, &key, why))
			errx(1, "%s", why);
	pins_close(pins);
	return 0;
}
