/*
 * options - what blackpony-keygen was asked to do. Called by keygen/main.c; wrong usage ends
 * the program with status 64, --help and --version with 0.
 */
#ifndef KEYGEN_OPTIONS_H
#define KEYGEN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum action {
	ACTION_MAKE,
	ACTION_FINGERPRINT, /* -l */
	ACTION_PUBLIC,      /* -y */
	ACTION_RECORD,      /* -r */
	ACTION_NEXT,        /* --rotate next */
	ACTION_SWITCH,      /* --rotate switch */
	ACTION_RETIRE,      /* --rotate retire */
	ACTION_FIND,        /* -F */
	ACTION_FORGET,      /* -R */
	ACTION_LIST,        /* -L */
	ACTION_IMPORT,      /* --import */
	ACTIONS
};

struct options {
	enum action action;
	const char *file;    /* of the host key */
	const char *pins;    /* the directory of what is remembered */
	const char *comment; /* NULL: the host's name */
	const char *group;   /* NULL: for the owner alone */
	const char *host;    /* RECORD, FIND, FORGET */
	const char *from;    /* IMPORT: a file, or "-" */
	uint32_t min_age;    /* SWITCH: seconds since the next key was made */
	bool json;
	bool quiet;
};

void options_parse(struct options *o, int argc, char **argv);
/* All that was printed has arrived, or the program ends here and says so. The exit status. */
int options_finish(int status);

#endif
