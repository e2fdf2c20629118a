/*
 * reason - see reason.h.
 */
#include "lib/reason.h"

#include <stdarg.h>
#include <stdio.h>

bool
reason_file(char why[REASON_MAX], const char *path, const char *format, ...)
{
	va_list ap;
	int n;

	n = snprintf(why, REASON_MAX, "%.255s: ", path);
	if (n < 0 || n >= REASON_MAX)
		return false;
	va_start(ap, format);
	vsnprintf(why + n, REASON_MAX - (size_t)n, format, ap);
	va_end(ap);
	return false;
}
