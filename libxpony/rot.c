/*
 * rot - ROT1 to ROT25. Called by advert for the name, by the session engine for the letters.
 */
#include <string.h>
#include "rot.h"

#define LETTERS 26

void
rot_letters(uint8_t *p, size_t n, int by)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] >= 'a' && p[i] <= 'z')
			p[i] = (uint8_t)('a' + (p[i] - 'a' + by) % LETTERS);
		else if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (uint8_t)('A' + (p[i] - 'A' + by) % LETTERS);
	}
}

int
rot_parse(const char *name, size_t n)
{
	static const char prefix[] = "ROT";
	size_t i = sizeof prefix - 1;
	int by = 0;

	if (n <= i || n > i + 2 || strncmp(name, prefix, i) != 0 || name[i] == '0')
		return 0;
	for (; i < n; i++) {
		if (name[i] < '0' || name[i] > '9')
			return 0;
		by = by * 10 + (name[i] - '0');
	}
	return by < LETTERS ? by : 0;
}
