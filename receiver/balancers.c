/*
 * balancers - see balancers.h. All of the file is checked, whoever connects: a fault is found
 * on the day it is made.
 */
#include "receiver/balancers.h"

#include <stdlib.h>

#include "lib/once.h"
#include "lib/textfile.h"
#include "receiver/network.h"

_Static_assert(BALANCERS_REASON_MAX >= TEXTFILE_REASON_MAX, "reasons fit");

static bool
read_line(struct network *n, struct words *words, const struct word *first)
{
	struct word second;

	if (!network_read(n, words, first))
		return false;
	if (n->bits == 0)
		return words_fault(words, first,
		    "is everybody, and who is listed is believed; name the balancers alone");
	second = words_next(words);
	return second.n == 0 ||
	       words_fault(words, &second, "is too much; a line has one address or network");
}

bool
balancers_parse(struct balancers *b, const char *path, const char *text, size_t n,
    const struct sockaddr_storage *peer, char *why)
{
	struct network network, who;
	enum words_result result;
	struct once lines = {0};
	bool good = true, listed = false;
	struct words words;
	struct word first;

	*b = (struct balancers){.listed = false};
	if (peer != NULL && !network_of(&who, peer))
		peer = NULL;
	words_start(&words, path, text, n, why);
	while (good && (result = words_line(&words, &first)) != WORDS_END) {
		good = result == WORDS_LINE && read_line(&network, &words, &first) &&
		       once_add(&lines, &words, &first, &network, sizeof(network));
		listed = listed || (good && peer != NULL && network_has(&network, &who));
	}
	good = good && once_check(&lines, &words);
	if (good)
		*b = (struct balancers){.listed = listed, .count = lines.count};
	once_free(&lines);
	return good;
}

bool
balancers_find(
    struct balancers *b, const char *path, const struct sockaddr_storage *peer, char *why)
{
	char *text;
	size_t n;
	bool good = false;

	*b = (struct balancers){.listed = false};
	switch (textfile_read(path, BALANCERS_FILE_MAX, &text, &n, why)) {
	case TEXTFILE_MISSING:
		return reason_file(why, path,
		    "there is no such file; list the load balancers in it, or leave -F out");
	case TEXTFILE_REFUSED:
		return false;
	case TEXTFILE_OK:
		good = balancers_parse(b, path, text, n, peer, why);
		free(text);
		break;
	}
	return good;
}
