/*
 * public - what may be shown of a key, and in which forms. Used by keygen/main.c and
 * keygen/rotate.c; faults end the program, in one line.
 */
#ifndef KEYGEN_PUBLIC_H
#define KEYGEN_PUBLIC_H

#include <stdio.h>

#include "lib/key.h"

struct public
{
	uint8_t octets[KEY_OCTETS];
	char comment[KEY_COMMENT_MAX];
};

void public_of(struct public *p, const struct key *key);
/* As ssh-keygen -l writes it. */
void public_print_fingerprint(const struct public *p);
void public_print_json(const struct public *p);
/* For the zone file (PROTOCOL.md, "Keys in DNS"). */
void public_print_record(const struct public *p, const char *host);
/* One line: type, key in base64, comment. */
void public_write_line(const struct public *p, FILE *out);
/* Reads what public_write_line() wrote. False when the file is no such thing, whatever else it
 * may be; no octet of a secret key is read. */
bool public_read_line(struct public *p, const char *path);

#endif
