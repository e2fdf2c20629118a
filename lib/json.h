/*
 * json - a text as a JSON string (RFC 8259 section 7), quotes included. Used by keygen/ and
 * report/.
 */
#ifndef BLACKPONY_JSON_H
#define BLACKPONY_JSON_H

#include <stdio.h>

/* Octets that are not printable ASCII are written as \u00xx, so the output is ASCII whatever
 * the text is. */
void json_text(FILE *out, const char *text);

#endif
