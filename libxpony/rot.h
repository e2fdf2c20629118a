/*
 * rot - ROT1 to ROT25, for a person at a telnet prompt (PROTOCOL.md, "ROTn"). No cipher.
 */
#ifndef XPONY_ROT_H
#define XPONY_ROT_H

#include <stddef.h>
#include <stdint.h>

/* Rotates the ASCII letters of p[0..n) forward by `by` (0..25; 26 - by undoes it). */
void rot_letters(uint8_t *p, size_t n, int by);
/* "ROT13" (n characters) is 13; 0 when it is no ROT1..ROT25. */
int rot_parse(const char *name, size_t n);

#endif
