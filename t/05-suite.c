/* suite: the table, lists of names, and the choice. */
#include "tap.h"
#include "libxpony/suite.h"

#define CLASSIC "x25519-chachapoly"

static void
test_table(void)
{
	struct suite_list all;
	unsigned bad = 0;

	suite_list_default(&all);
	ok(all.count >= 1 && all.count <= SUITE_MAX, "the table fits a list");
	for (size_t i = 0; i < all.count; i++) {
		const struct suite *s = all.suite[i];
		size_t n = strlen(s->name);
		bad += n == 0 || n > SUITE_NAME_MAX;
		bad += strspn(s->name, "abcdefghijklmnopqrstuvwxyz0123456789-") != n;
		bad += suite_find(s->name, n) != s;
		bad += s->psk3 != (strstr(s->noise, "psk3") != NULL) || s->bits != 256;
	}
	is_int(bad, 0, "names of small letters, digits and hyphens, found by themselves");

	const struct suite *c = suite_find(CLASSIC, strlen(CLASSIC));
	ok(c != NULL, "the classical suite is there");
	if (c != NULL)
		is_str(c->noise, "Noise_XX_25519_ChaChaPoly_BLAKE2b", "its Noise name");
	ok(suite_find(CLASSIC, strlen(CLASSIC) - 1) == NULL, "no prefix matches");
	ok(suite_find(CLASSIC "x", strlen(CLASSIC) + 1) == NULL, "nor a longer name");
	ok(suite_find("X25519-chachapoly", strlen(CLASSIC)) == NULL, "case counts");
	ok(suite_find("", 0) == NULL, "no empty name");
}

static void
test_lists(void)
{
	static const char *const bad[] = {"", ",", CLASSIC ",", "," CLASSIC,
	    CLASSIC "," CLASSIC, "nonsense", CLASSIC ",nonsense", CLASSIC " ",
	    CLASSIC ",," CLASSIC};
	struct suite_list list;
	char text[SUITE_MAX * (SUITE_NAME_MAX + 1)];

	ok(suite_list_parse(&list, CLASSIC) && list.count == 1, "a list of one");
	suite_list_format(&list, text, sizeof text);
	is_str(text, CLASSIC, "formats back");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ok(!suite_list_parse(&list, bad[i]), "refused: \"%s\"", bad[i]);

	suite_list_default(&list);
	suite_list_format(&list, text, sizeof text);
	struct suite_list again;
	ok(suite_list_parse(&again, text), "the default list parses");
	is_mem(again.suite, again.count * sizeof again.suite[0], list.suite,
	    list.count * sizeof list.suite[0], "to itself, in its order");
}

/* The choice by our order, with suites that the table does not have. */
static void
test_choice(void)
{
	static const struct suite a = {"aa", "", false, 0}, b = {"bb", "", false, 0};
	const struct suite_list ours = {{&a, &b}, 2}, none = {{NULL}, 0};
	char text[32];

	suite_list_format(&ours, text, sizeof text);
	is_str(text, "aa,bb", "two names, one comma");
	ok(suite_choose(&ours, "bb,aa", 5) == &a, "our preference counts, not theirs");
	ok(suite_choose(&ours, "zz,bb", 5) == &b, "unknown names are skipped");
	ok(suite_choose(&ours, "bb,aa", 4) == &b, "n characters are looked at, no more");
	ok(suite_choose(&ours, "aab,xbb", 7) == NULL, "no part of a name matches");
	ok(suite_choose(&ours, "zz", 2) == NULL, "nothing in common");
	ok(suite_choose(&ours, "", 0) == NULL, "nothing offered");
	ok(suite_choose(&none, "aa", 2) == NULL, "nothing to choose from");
}

int
main(void)
{
	test_table();
	test_lists();
	test_choice();
	return tap_done();
}
