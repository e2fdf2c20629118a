/*
 * duration - a length of time as an administrator writes it: "30d", "12h", "90m", "45s", or
 * seconds without a letter. Used by blackpony-receiver and blackpony-keygen.
 */
#ifndef BLACKPONY_DURATION_H
#define BLACKPONY_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* False when it is something else, or longer than fits. */
bool duration_parse(uint32_t *seconds, const char *text);

#endif
