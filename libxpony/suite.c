/*
 * suite - the table of cipher suites. Called by advert and handshake, and by the mains for
 * `-s`.
 */
#include <stdlib.h>
#include <string.h>
#include "suite.h"

/* Most preferred first. A suite's name never changes its meaning once it was released. */
static const struct suite suites[] = {
    {"mlkem768x25519-chachapoly", "Noise_XXpsk3_25519_ChaChaPoly_BLAKE2b", true, 256},
    {"x25519-chachapoly", "Noise_XX_25519_ChaChaPoly_BLAKE2b", false, 256},
};

#define SUITES (sizeof suites / sizeof suites[0])
_Static_assert(SUITES <= SUITE_MAX, "a list must hold every suite");

const struct suite *
suite_find(const char *name, size_t n)
{
	for (size_t i = 0; i < SUITES; i++)
		if (strlen(suites[i].name) == n && strncmp(suites[i].name, name, n) == 0)
			return &suites[i];
	return NULL;
}

void
suite_list_default(struct suite_list *list)
{
	list->count = 0;
	for (size_t i = 0; i < SUITES; i++)
		list->suite[list->count++] = &suites[i];
}

static bool
list_has(const struct suite_list *list, const struct suite *s)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->suite[i] == s)
			return true;
	return false;
}

bool
suite_list_parse(struct suite_list *list, const char *text)
{
	list->count = 0;
	for (;;) {
		size_t n = strcspn(text, ",");
		const struct suite *s = suite_find(text, n);

		if (s == NULL || list_has(list, s) || list->count == SUITE_MAX)
			return false;
		list->suite[list->count++] = s;
		if (text[n] == '\0')
			return true;
		text += n + 1;
	}
}

void
suite_list_format(const struct suite_list *list, char *text, size_t cap)
{
	size_t used = 0;

	for (size_t i = 0; i < list->count; i++) {
		size_t n = strlen(list->suite[i]->name);
		size_t comma = i > 0;

		if (comma + n + 1 > cap - used)
			abort();
		if (comma)
			text[used++] = ',';
		memcpy(text + used, list->suite[i]->name, n);
		used += n;
	}
	text[used] = '\0';
}

/* Does the name stand in the comma-separated text of n characters? */
static bool
text_has(const char *text, size_t n, const char *name)
{
	size_t name_len = strlen(name);

	for (;;) {
		const char *comma = memchr(text, ',', n);
		size_t word = comma == NULL ? n : (size_t)(comma - text);

		if (word == name_len && strncmp(text, name, word) == 0)
			return true;
		if (comma == NULL)
			return false;
		text += word + 1;
		n -= word + 1;
	}
}

const struct suite *
suite_choose(const struct suite_list *ours, const char *theirs, size_t n)
{
	for (size_t i = 0; i < ours->count; i++)
		if (text_has(theirs, n, ours->suite[i]->name))
			return ours->suite[i];
	return NULL;
}
