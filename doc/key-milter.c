/*
 * key-milter - example of a milter that reads ${pony_key}: mail from a domain that it is told
 * of must come from a host with the key that stands there, or with one of several. Other mail
 * passes. It takes
 *
 *	cc -o key-milter key-milter.c -lmilter -pthread
 *	key-milter inet:8892@127.0.0.1 example.org=SHA256:fingerprint
 *
 * and in sendmail.mc, before the MAILER lines:
 *
 *	INPUT_MAIL_FILTER(`key', `S=inet:8892@127.0.0.1, F=T')dnl
 *	define(`confMILTER_MACROS_CONNECT', confMILTER_MACROS_CONNECT`, {pony_key}')dnl
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include <libmilter/mfapi.h>

static const char hash[] = "=SHA256:";
static char **pairs; /* domain=SHA256:fingerprint, NULL at the end */

/* An address as the client wrote it: <user@domain>, or <> for a bounce. */
static bool
is_from(const char *address, const char *domain, size_t length)
{
	const char *at = strrchr(address, '@');

	return at != NULL && strncasecmp(at + 1, domain, length) == 0 &&
	       at[1 + length + strspn(at + 1 + length, ".>")] == '\0';
}

static sfsistat
on_sender(SMFICTX *context, char **arguments)
{
	const char *key = smfi_getsymval(context, "{pony_key}"), *wanted;
	bool listed = false;
	char **pair;

	for (pair = pairs; *pair != NULL; pair++) {
		wanted = strstr(*pair, hash);
		if (!is_from(arguments[0], *pair, (size_t)(wanted - *pair)))
			continue;
		if (key != NULL && strcmp(key, wanted + sizeof(hash) - 1) == 0)
			return SMFIS_CONTINUE;
		listed = true;
	}
	if (!listed)
		return SMFIS_CONTINUE;
	smfi_setreply(context, "550", "5.7.1", "Mail from there comes with another key");
	return SMFIS_REJECT;
}

int
main(int argc, char *argv[])
{
	struct smfiDesc filter = {
	    .xxfi_name = "key-milter",
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_envfrom = on_sender,
	};
	int i;

	for (i = 2; i < argc && strstr(argv[i], hash) != NULL; i++)
		;
	if (argc < 3 || i < argc) {
		fprintf(stderr, "usage: key-milter socket domain=SHA256:fingerprint ...\n");
		return EX_USAGE;
	}
	pairs = argv + 2;
	if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS)
		return EX_UNAVAILABLE;
	return smfi_main() == MI_SUCCESS ? EX_OK : EX_UNAVAILABLE;
}
