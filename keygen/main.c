/*
 * blackpony-keygen - makes the host key and shows its public half, and knows what is remembered
 * of other hosts (doc/blackpony-keygen.1). Started by an administrator; its options are
 * ssh-keygen's where they fit.
 */
#include <err.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <sodium.h>

#include "lib/key.h"
#include "lib/sandbox.h"
#include "options.h"
#include "pinctl.h"
#include "public.h"
#include "rotate.h"

static gid_t
group_id(const char *name)
{
	struct group *group;
	const char *fault;
	long long id;

	group = getgrnam(name);
	if (group != NULL)
		return group->gr_gid;
	id = strtonum(name, 0, INT32_MAX, &fault);
	if (fault != NULL)
		errx(EX_NOUSER, "-g %s: no such group; make it first (groupadd)", name);
	return (gid_t)id;
}

static void
set_comment(struct key *key, const char *comment)
{
	char host[KEY_COMMENT_MAX] = "";

	if (comment != NULL) {
		if (!key_set_comment(key, comment))
			errx(EX_USAGE, "-C: at most %d printable ASCII characters",
			    KEY_COMMENT_MAX - 1);
	} else if (gethostname(host, sizeof(host) - 1) == 0) {
		key_set_comment(key, host); /* none, when it is an odd name */
	}
}

static int
make(const struct options *o)
{
	char why[KEY_REASON_MAX];
	struct public public;
	struct key *key;
	gid_t group = (gid_t)-1;
	bool ok;

	if (o->group != NULL)
		group = group_id(o->group);
	key = key_fresh();
	if (key == NULL)
		err(EX_OSERR, "no memory for a key");
	set_comment(key, o->comment);
	ok = key_write(key, o->file, o->group != NULL ? 0640 : 0600, group, why);
	public_of(&public, key);
	key_free(key);
	if (!ok)
		errx(EX_CANTCREAT, "%s", why);
	if (!o->quiet) {
		printf("Host key saved in %s\nThe key fingerprint is:\n", o->file);
		public_print_fingerprint(&public);
	}
	return options_finish(EX_OK);
}

static int
rotate(const struct options *o)
{
	struct public public;
	struct key *key;

	switch (o->action) {
	case ACTION_NEXT:
		key = key_fresh();
		if (key == NULL)
			err(EX_OSERR, "no memory for a key");
		set_comment(key, o->comment);
		rotate_next(o->file, key, &public);
		key_free(key);
		break;
	case ACTION_SWITCH:
		rotate_switch(o->file, o->min_age, &public);
		break;
	default:
		rotate_retire(o->file);
		return EX_OK;
	}
	if (!o->quiet) {
		printf("The %s key's fingerprint is:\n",
		    o->action == ACTION_NEXT ? "next" : "host");
		public_print_fingerprint(&public);
	}
	return options_finish(EX_OK);
}

static int
show(const struct options *o)
{
	char why[KEY_REASON_MAX];
	struct public public;
	struct key *key;

	if (!public_read_line(&public, o->file)) {
		switch (key_read(&key, o->file, why)) {
		case KEY_MISSING:
			errx(EX_NOINPUT, "%s; make it with blackpony-keygen -f", why);
		case KEY_REFUSED:
			errx(EX_DATAERR, "%s", why);
		case KEY_OK:
			break;
		}
		public_of(&public, key);
		key_free(key);
	}
	if (o->action == ACTION_FINGERPRINT && o->json)
		public_print_json(&public);
	else if (o->action == ACTION_FINGERPRINT)
		public_print_fingerprint(&public);
	else if (o->action == ACTION_PUBLIC)
		public_write_line(&public, stdout);
	else
		public_print_record(&public, o->host);
	return options_finish(EX_OK);
}

int
main(int argc, char **argv)
{
	const struct sandbox walls = {.role = SANDBOX_KEYGEN, .root = -1};
	struct options o;

	options_parse(&o, argc, argv);
	if (!sandbox_enter(&walls))
		err(EX_OSERR, "cannot put the key out of others' reach");
	if (sodium_init() < 0)
		errx(EX_OSERR, "libsodium finds no source of randomness");
	switch (o.action) {
	case ACTION_MAKE:
		return make(&o);
	case ACTION_NEXT:
	case ACTION_SWITCH:
	case ACTION_RETIRE:
		return rotate(&o);
	case ACTION_FIND:
	case ACTION_LIST:
		return options_finish(pinctl_show(o.pins, o.host, o.json));
	case ACTION_FORGET:
		return options_finish(pinctl_remove(o.pins, o.host, o.quiet));
	case ACTION_IMPORT:
		return options_finish(pinctl_import(o.pins, o.from, o.quiet));
	default:
		return show(&o);
	}
}
