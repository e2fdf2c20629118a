/*
 * advert - the offer in a greeting or among the keywords of an EHLO reply, as whoever sits on
 * the way may have made it (libxpony/advert.h, libxpony/suite.h).
 *
 * Input: greeting or keyword, then the text.
 */
#include "fuzz/fuzz.h"

#include "libxpony/advert.h"

static void
look_at_suites(const struct advert *a)
{
	struct suite_list ours;
	const struct suite *chosen;
	const size_t n = strlen(a->suites);

	suite_list_default(&ours);
	chosen = suite_choose(&ours, a->suites, n);
	HOLDS(chosen == NULL || strstr(a->suites, chosen->name) != NULL);
	HOLDS(chosen == NULL || chosen == suite_find(chosen->name, strlen(chosen->name)));
	/* Names have a bound, lists of others' names have not but for the line's. */
	for (const char *p = a->suites; *p != '\0';
	     p += strcspn(p, ",") + (strchr(p, ',') != NULL))
		HOLDS(strcspn(p, ",") >= 1 && strcspn(p, ",") <= SUITE_NAME_MAX);
}

/* What was found says itself what it was made from. */
static void
look_at_offer(const struct advert *a)
{
	char text[ADVERT_MAX], key[64], greeting[ADVERT_MAX + 64];
	uint8_t prologue[ADVERT_PROLOGUE_MAX];
	struct advert again;
	int n;

	HOLDS(memchr(a->text, '\0', sizeof a->text) != NULL && is_printable(a->suites));
	if (a->rot > 0) {
		HOLDS(a->rot <= 25);
		n = snprintf(text, sizeof text, "XPONY 1 ROT%d", a->rot);
	} else {
		base64_encode(key, a->e, NOISE_KEY);
		n = snprintf(text, sizeof text, "XPONY 1 %s %s", key, a->suites);
		look_at_suites(a);
	}
	HOLDS(n > 0 && (size_t)n < sizeof text && strcmp(text, a->text) == 0);
	HOLDS(advert_find_keyword(&again, (const uint8_t *)text, (size_t)n) == ERR_NONE);
	HOLDS(memcmp(&again, a, sizeof again) == 0);
	n = snprintf(greeting, sizeof greeting, "mx.test esmtp %s and more", text);
	HOLDS(advert_find_greeting(&again, (const uint8_t *)greeting, (size_t)n) == ERR_NONE);
	HOLDS(memcmp(&again, a, sizeof again) == 0);
	HOLDS(
	    advert_prologue(prologue, sizeof prologue, a, "x25519-chachapoly") > strlen(text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const uint8_t what = input_u8(&in);
	struct advert a;
	enum err e;

	fuzz_start();
	if (what % 2 == 0)
		e = advert_find_greeting(&a, in.p, in.left);
	else
		e = advert_find_keyword(&a, in.p, in.left);
	HOLDS(e == ERR_NONE || e == ERR_MORE || e == ERR_SYNTAX);
	if (e == ERR_NONE)
		look_at_offer(&a);
	return 0;
}
