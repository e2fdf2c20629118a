/*
 * duration - see duration.h.
 */
#include "lib/duration.h"

#include <string.h>

bool
duration_parse(uint32_t *seconds, const char *text)
{
	static const char letters[] = "smhd";
	static const uint32_t factors[] = {1, 60, 3600, 86400};
	const size_t digits = strspn(text, "0123456789");
	const char *letter;
	uint64_t n = 0;

	if (digits == 0 || digits > 10)
		return false;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	if (text[digits] != '\0') {
		letter = strchr(letters, text[digits]);
		if (letter == NULL || text[digits + 1] != '\0')
			return false;
		n *= factors[letter - letters];
	}
	*seconds = (uint32_t)n;
	return n <= UINT32_MAX;
}
