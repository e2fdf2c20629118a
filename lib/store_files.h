/*
 * store_files - the directory and the files of a store, before LMDB has them and after it found
 * them damaged. Used by lib/store.c alone.
 */
#ifndef BLACKPONY_STORE_FILES_H
#define BLACKPONY_STORE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#define STORE_DATA "data.mdb" /* LMDB's names */
#define STORE_LOCK "lock.mdb"
#define STORE_DAMAGED "data.mdb.damaged"

/* The map starts small and is doubled when it is full, so that ordinary use keeps that path
 * tried. Address space only: the file is as long as what was written. */
#define STORE_MAP_MIN ((size_t)1 << 20)
#define STORE_MAP_MAX ((size_t)1 << (sizeof(size_t) > 4 ? 36 : 29))

struct store_files {
	char path[256];
	int directory;   /* -1 or open; the caller closes it */
	size_t map_size; /* that the data asks for */
};

/* Makes the directory where there is none and looks at all that is in it. False: why
 * (STORE_REASON_MAX) names the file and what to do. */
bool store_files_prepare(struct store_files *f, const char *directory, char *why);
/* So that no process maps the data again. Async-signal-safe. */
void store_files_put_aside(int directory);

#endif
