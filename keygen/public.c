/*
 * public - see public.h.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "libxpony/base64.h"
#include "lib/json.h"
#include "lib/keyline.h"
#include "public.h"

#define PUBLIC_TYPE KEYLINE_TYPE " "
#define PUBLIC_LINE_MAX (sizeof(PUBLIC_TYPE) + KEY_TEXT_MAX + KEY_COMMENT_MAX)

void
public_of(struct public *p, const struct key *key)
{
	memcpy(p->octets, key_public(key), sizeof(p->octets));
	strlcpy(p->comment, key_comment(key), sizeof(p->comment));
}

void
public_print_fingerprint(const struct public *p)
{
	char fingerprint[KEY_FINGERPRINT_MAX];

	key_fingerprint(p->octets, fingerprint);
	printf("256 %s %s (X25519)\n", fingerprint,
	    p->comment[0] != '\0' ? p->comment : "no comment");
}

void
public_print_json(const struct public *p)
{
	char fingerprint[KEY_FINGERPRINT_MAX], text[KEY_TEXT_MAX];

	key_fingerprint(p->octets, fingerprint);
	base64_encode(text, p->octets, sizeof(p->octets));
	(void)printf("{\"bits\": 256, \"type\": \"X25519\", \"fingerprint\": \"%s\", "
		     "\"public\": \"%s\", \"comment\": ",
	    fingerprint, text);
	json_text(stdout, p->comment);
	(void)fputs("}\n", stdout);
}

void
public_print_record(const struct public *p, const char *host)
{
	char fingerprint[KEY_FINGERPRINT_MAX];

	key_fingerprint(p->octets, fingerprint);
	printf("_xpony.%s. IN TXT \"v=XPONY1; k=%s\"\n", host, fingerprint);
}

void
public_write_line(const struct public *p, FILE *out)
{
	char text[KEY_TEXT_MAX];

	base64_encode(text, p->octets, sizeof(p->octets));
	fprintf(
	    out, PUBLIC_TYPE "%s%s%s\n", text, p->comment[0] != '\0' ? " " : "", p->comment);
}

static bool
is_printable(const char *text)
{
	while (*text >= ' ' && *text <= '~')
		text++;
	return *text == '\0';
}

bool
public_read_line(struct public *p, const char *path)
{
	char line[PUBLIC_LINE_MAX + 1] = "";
	const size_t type = strlen(PUBLIC_TYPE);
	size_t n, words;
	ssize_t got;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	got = read(fd, line, type);
	if (got == (ssize_t)type && strcmp(line, PUBLIC_TYPE) == 0)
		got = read(fd, line, sizeof(line) - 1);
	else
		got = -1;
	close(fd);
	if (got < 0)
		return false;
	line[strcspn(line, "\n")] = '\0';
	words = strcspn(line, " ");
	if (base64_decode(p->octets, sizeof(p->octets), &n, line, words) != ERR_NONE ||
	    n != sizeof(p->octets) || !is_printable(line))
		errx(EX_DATAERR, "%s: damaged public key", path);
	strlcpy(p->comment, line + words + (line[words] == ' '), sizeof(p->comment));
	return true;
}
