/*
 * replay - a target's main where there is no libFuzzer: gives it each file of its corpus, as
 * TAP. Files named as arguments are given instead: reproducers.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <limits.h>

#include "t/tap.h"

#define INPUT_MAX 1048576

/* In memory of exactly its size, so that a sanitizer sees what is read beyond it. */
static void
replay(const char *path)
{
	static uint8_t room[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	uint8_t *input;
	size_t n;

	if (f == NULL)
		bail("cannot open %s", path);
	diag("%s", path); /* the last one named is the one at fault */
	n = fread(room, 1, sizeof room, f);
	if (ferror(f) || n == sizeof room)
		bail("cannot read %s", path);
	fclose(f);
	if ((input = malloc(n > 0 ? n : 1)) == NULL)
		bail("out of memory");
	memcpy(input, room, n);
	(void)LLVMFuzzerTestOneInput(input, n);
	free(input);
}

static int
is_file(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *top = getenv("abs_top_srcdir");
	const char *name = slash != NULL ? slash + 1 : argv[0];
	char directory[PATH_MAX / 2], path[PATH_MAX];
	struct dirent **list;
	int n;

	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc > 1)
		return 0;
	snprintf(
	    directory, sizeof directory, "%s/fuzz/corpus/%s", top != NULL ? top : ".", name);
	if ((n = scandir(directory, &list, is_file, alphasort)) < 0)
		bail("no directory %s", directory);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/%s", directory, list[i]->d_name);
		replay(path);
		free(list[i]);
	}
	free(list);
	ok(n > 0, "%s: %d inputs", name, n);
	return tap_done();
}
