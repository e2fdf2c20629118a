/* bait - a leak, which each static check must find before it is believed (t/lib/static). */
#include <stdbool.h>
#include <string.h>

bool bait(const char *text);

bool
bait(const char *text)
{
	char *copy = strdup(text);

	return copy != NULL && copy[0] == 'x';
}
