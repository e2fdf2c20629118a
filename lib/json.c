/*
 * json - see json.h.
 */
#include "json.h"

void
json_text(FILE *out, const char *text)
{
	const unsigned char *p;

	(void)fputc('"', out);
	for (p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			(void)fprintf(out, "\\%c", *p);
		else if (*p < ' ' || *p > '~')
			(void)fprintf(out, "\\u%04x", *p);
		else
			(void)fputc(*p, out);
	}
	(void)fputc('"', out);
}
