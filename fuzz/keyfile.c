/*
 * keyfile - the host key's file (lib/key.c), which is the administrator's, and fingerprints as
 * text. What is wrong with it is told without an octet of the secret.
 *
 * Input: the file.
 */
#include "lib/key.c"

#include <sys/mman.h>

#include "fuzz/fuzz.h"

static const char path[] = "/k";

/* Read again from what key_write() would write it is the same key. */
static void
look_at_key(const struct key *key)
{
	char text[KEY_FILE_MAX + 1], why[KEY_REASON_MAX];
	struct key *again = key_alloc();
	int fd = memfd_create("fuzz", 0);
	ssize_t n;

	HOLDS(again != NULL && fd >= 0);
	HOLDS(strlen(key->comment) < KEY_COMMENT_MAX && is_printable(key->comment));
	HOLDS(write_text(fd, key));
	n = pread(fd, text, sizeof text, 0);
	close(fd);
	HOLDS(n > 0 && (size_t)n < sizeof text);
	text[n] = '\0';
	HOLDS(parse(again, text, (size_t)n, path, why));
	HOLDS(memcmp(again->secret, key->secret, KEY_OCTETS) == 0);
	HOLDS(memcmp(again->public, key->public, KEY_OCTETS) == 0);
	HOLDS(strcmp(again->comment, key->comment) == 0);
	key_free(again);
}

/* Nothing of the file stands in it but what the message says. */
static void
look_at_reason(const char *why, const uint8_t *p, size_t n)
{
	const size_t shown = 24; /* longer than any word of ours */

	HOLDS(strncmp(why, path, strlen(path)) == 0 && strlen(why) > sizeof path);
	HOLDS(is_printable(why));
	for (size_t i = strlen(KEY_MAGIC KEY_TYPE); i + shown <= n; i++)
		if (memchr(p + i, ' ', shown) == NULL)
			HOLDS(memmem(why, strlen(why), p + i, shown) == NULL);
}

static void
fingerprints(const uint8_t *p, size_t n)
{
	char text[KEY_FINGERPRINT_MAX];
	uint8_t hash[KEY_HASH];

	if (key_fingerprint_read(hash, (const char *)p, n)) {
		key_fingerprint_write(hash, text);
		HOLDS(strlen(text) == n && memcmp(text, p, n) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text, why[KEY_REASON_MAX] = "";
	struct key *key;

	fuzz_start();
	fingerprints(p, n);
	if (n > KEY_FILE_MAX) /* refused before it is read */
		return 0;
	key = key_alloc();
	text = malloc(n + 1);
	HOLDS(key != NULL && text != NULL);
	if (n > 0)
		memcpy(text, p, n);
	text[n] = '\0';
	if (parse(key, text, n, path, why))
		look_at_key(key);
	else
		look_at_reason(why, p, n);
	free(text);
	key_free(key);
	return 0;
}
