/*
 * policy - the policy file (lib/policy.h) and the destination that it is asked about, which is
 * the domain of a stranger's address.
 *
 * Input: the destination, behind its length; then the file.
 */
#include "fuzz/fuzz.h"

#include "lib/policy.h"

static const char path[] = "/p";

static void
look_at_policy(const struct policy *p)
{
	HOLDS(p->level <= POLICY_VERIFY && policy_word(p->level) != NULL);
	HOLDS(!p->pq || p->level >= POLICY_ENCRYPT);
	HOLDS(p->keys <= POLICY_KEYS && (p->keys == 0 || p->level == POLICY_VERIFY));
	HOLDS(p->line > 0 || (p->level == POLICY_MAY && p->keys == 0 && !p->pq));
	for (size_t i = 0; i < p->keys; i++)
		for (size_t k = 0; k < i; k++)
			HOLDS(memcmp(p->key[i], p->key[k], sizeof p->key[i]) != 0);
}

/* Neither case nor a comment at the end counts, nor the order of the lines. */
static void
ask_again(const struct policy *want, const uint8_t *text, size_t n, const char *destination)
{
	static const char comment[] = "\n# end\n";
	char other[256], why[POLICY_REASON_MAX], *more = malloc(n + sizeof comment);
	struct policy p;
	size_t i;

	HOLDS(more != NULL);
	for (i = 0; destination[i] != '\0'; i++)
		other[i] = (char)(destination[i] >= 'a' && destination[i] <= 'z'
				      ? destination[i] - 'a' + 'A'
				      : destination[i]);
	other[i] = '\0';
	if (n > 0)
		memcpy(more, text, n);
	memcpy(more + n, comment, sizeof comment);
	HOLDS(policy_parse(&p, path, more, n + strlen(comment), other, why));
	HOLDS(p.level == want->level && p.pq == want->pq && p.keys == want->keys);
	HOLDS(p.line == want->line && memcmp(p.key, want->key, sizeof p.key) == 0);
	free(more);
	more = fuzz_reverse_lines((const char *)text, n);
	HOLDS(policy_parse(&p, path, more, strlen(more), destination, why));
	HOLDS(p.level == want->level && p.pq == want->pq && p.keys == want->keys);
	HOLDS(memcmp(p.key, want->key, sizeof p.key) == 0);
	free(more);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char destination[256], why[POLICY_REASON_MAX];
	struct input in = {p, n};
	struct policy policy;

	fuzz_start();
	input_text(&in, destination, sizeof destination);
	if (policy_parse(&policy, path, (const char *)in.p, in.left, destination, why)) {
		look_at_policy(&policy);
		ask_again(&policy, in.p, in.left, destination);
	} else {
		HOLDS(strlen(why) > 3 && strlen(why) < sizeof why && is_printable(why));
	}
	return 0;
}
