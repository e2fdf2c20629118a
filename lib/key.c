/*
 * key - reads, makes, writes and uses the host key (key.h has the file's form). Called by the
 * monitors of mailer and receiver, and by blackpony-keygen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "lib/key.h"
#include "libxpony/base64.h"

#define KEY_FILE_MAX 1024 /* far more than both lines with the longest comment */
#define KEY_MAGIC "blackpony-host-key 1\n"
#define KEY_TYPE "x25519 "
#define KEY_CHARS (KEY_TEXT_MAX - 1)
#define FINGERPRINT_TYPE "SHA256:"

_Static_assert(KEY_OCTETS == crypto_scalarmult_curve25519_SCALARBYTES, "X25519 secret");
_Static_assert(KEY_OCTETS == crypto_scalarmult_curve25519_BYTES, "X25519 point");
_Static_assert(KEY_HASH == crypto_hash_sha256_BYTES, "SHA-256");

struct key {
	uint8_t secret[KEY_OCTETS];
	uint8_t public[KEY_OCTETS];
	char comment[KEY_COMMENT_MAX];
	char file[KEY_FILE_MAX + 1]; /* its text while it is read: empty before and after */
};

static struct key *
key_alloc(void)
{
	struct key *key;

	key = sodium_malloc(sizeof(*key));
	if (key != NULL)
		sodium_memzero(key, sizeof(*key));
	return key;
}

static void
derive_public(struct key *key)
{
	/* Fails for no clamped secret: the base point has a large prime order. */
	if (crypto_scalarmult_curve25519_base(key->public, key->secret) != 0)
		sodium_misuse();
}

struct key *
key_fresh(void)
{
	struct key *key;

	key = key_alloc();
	if (key == NULL)
		return NULL;
	randombytes_buf(key->secret, sizeof(key->secret));
	derive_public(key);
	return key;
}

void
key_free(struct key *key)
{
	sodium_free(key); /* wipes; NULL-safe */
}

const uint8_t *
key_public(const struct key *key)
{
	return key->public;
}

const char *
key_comment(const struct key *key)
{
	return key->comment;
}

bool
key_set_comment(struct key *key, const char *comment)
{
	size_t n;

	for (n = 0; comment[n] != '\0'; n++) {
		if (n + 1 >= sizeof(key->comment) || comment[n] < ' ' || comment[n] > '~')
			return false;
	}
	memcpy(key->comment, comment, n + 1);
	return true;
}

bool
key_dh(const struct key *key, const uint8_t point[KEY_OCTETS], uint8_t out[KEY_OCTETS])
{
	return crypto_scalarmult_curve25519(out, key->secret, point) == 0;
}

void
key_fingerprint_write(const uint8_t hash[KEY_HASH], char text[KEY_FINGERPRINT_MAX])
{
	_Static_assert(sizeof(FINGERPRINT_TYPE) + KEY_CHARS == KEY_FINGERPRINT_MAX, "fits");
	strlcpy(text, FINGERPRINT_TYPE, KEY_FINGERPRINT_MAX);
	base64_encode(text + strlen(FINGERPRINT_TYPE), hash, KEY_HASH);
}

void
key_fingerprint(const uint8_t public[KEY_OCTETS], char text[KEY_FINGERPRINT_MAX])
{
	uint8_t hash[KEY_HASH];

	crypto_hash_sha256(hash, public, KEY_OCTETS);
	key_fingerprint_write(hash, text);
}

bool
key_fingerprint_read(uint8_t hash[KEY_HASH], const char *text, size_t n)
{
	const size_t type = strlen(FINGERPRINT_TYPE);
	size_t octets;

	return n == KEY_FINGERPRINT_MAX - 1 && memcmp(text, FINGERPRINT_TYPE, type) == 0 &&
	       base64_decode(hash, KEY_HASH, &octets, text + type, n - type) == ERR_NONE &&
	       octets == KEY_HASH;
}

/* True when the open file is one that nobody else can have put there, changed or read. */
static bool
may_be_trusted(int fd, const char *path, char *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return reason_file(why, path, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return reason_file(why, path, "not a regular file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return reason_file(why, path,
		    "belongs to uid %lu; must belong to root or uid %lu (chown)",
		    (unsigned long)st.st_uid, (unsigned long)geteuid());
	if ((st.st_mode & 077 & ~(mode_t)S_IRGRP) != 0)
		return reason_file(why, path,
		    "mode %04o is too open for a secret key (chmod 0600, or 0640 for its "
		    "group)",
		    (unsigned)(st.st_mode & 07777));
	if (st.st_size > KEY_FILE_MAX)
		return reason_file(
		    why, path, "not a host key: longer than %d octets", KEY_FILE_MAX);
	return true;
}

/* Reads to the end of the file or until the room is full. */
static bool
read_whole(int fd, char *text, size_t cap, size_t *len)
{
	ssize_t n;

	for (*len = 0; *len < cap; *len += (size_t)n) {
		n = read(fd, text + *len, cap - *len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return false;
		else if (n == 0)
			break;
	}
	return true;
}

/* The two lines of a key file; text is NUL-terminated behind its len octets. */
static bool
parse(struct key *key, char *text, size_t len, const char *path, char *why)
{
	char *p = text, *end;
	size_t n;

	if (strlen(text) != len)
		return reason_file(why, path, "not a host key: a NUL octet in it");
	if (strncmp(p, KEY_MAGIC, strlen(KEY_MAGIC)) != 0)
		return reason_file(
		    why, path, "not a host key: line 1 must read \"blackpony-host-key 1\"");
	p += strlen(KEY_MAGIC);
	end = strchr(p, '\n');
	if (end == NULL)
		return reason_file(why, path, "damaged host key: line 2 is cut off");
	if (end[1] != '\0')
		return reason_file(why, path, "damaged host key: more than two lines");
	*end = '\0';
	if (strncmp(p, KEY_TYPE, strlen(KEY_TYPE)) != 0)
		return reason_file(why, path, "line 2: the key is not of type x25519");
	p += strlen(KEY_TYPE);
	if (strcspn(p, " ") != KEY_CHARS ||
	    base64_decode(key->secret, KEY_OCTETS, &n, p, KEY_CHARS) != ERR_NONE)
		return reason_file(why, path,
		    "damaged host key: line 2 must hold 43 characters of unpadded base64");
	p += KEY_CHARS;
	if (*p == ' ' && !key_set_comment(key, p + 1))
		return reason_file(
		    why, path, "line 2: comment too long or not printable ASCII");
	derive_public(key);
	return true;
}

static bool
read_key(int fd, struct key *key, const char *path, char *why)
{
	size_t len;
	bool ok;

	if (!may_be_trusted(fd, path, why))
		return false;
	if (read_whole(fd, key->file, KEY_FILE_MAX, &len)) {
		key->file[len] = '\0';
		ok = parse(key, key->file, len, path, why);
	} else {
		ok = reason_file(why, path, "%s", strerror(errno));
	}
	sodium_memzero(key->file, sizeof(key->file));
	return ok;
}

enum key_status
key_read(struct key **out, const char *path, char why[KEY_REASON_MAX])
{
	struct key *key;
	int fd;
	bool ok;

	*out = NULL;
	why[0] = '\0';
	/* O_NONBLOCK: a FIFO in the key's place must not hold us up before fstat() tells it. */
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		reason_file(
		    why, path, "%s", errno == ELOOP ? "is a symbolic link" : strerror(errno));
		return errno == ENOENT ? KEY_MISSING : KEY_REFUSED;
	}
	key = key_alloc();
	if (key != NULL)
		ok = read_key(fd, key, path, why);
	else
		ok = reason_file(why, path, "%s", strerror(ENOMEM));
	close(fd);
	if (!ok) {
		key_free(key);
		return KEY_REFUSED;
	}
	*out = key;
	return KEY_OK;
}

static bool
write_whole(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, text, len);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* The file's text, into an open and empty file. */
static bool
write_text(int fd, const struct key *key)
{
	char *text;
	size_t len;
	bool ok;

	text = sodium_malloc(KEY_FILE_MAX);
	if (text == NULL) {
		errno = ENOMEM;
		return false;
	}
	len = strlcpy(text, KEY_MAGIC KEY_TYPE, KEY_FILE_MAX);
	base64_encode(text + len, key->secret, sizeof(key->secret));
	if (key->comment[0] != '\0') {
		strlcat(text, " ", KEY_FILE_MAX);
		strlcat(text, key->comment, KEY_FILE_MAX);
	}
	len = strlcat(text, "\n", KEY_FILE_MAX);
	ok = len < KEY_FILE_MAX && write_whole(fd, text, len);
	sodium_free(text);
	return ok;
}

/* Opens the directory of path; *name is what path is called in there. */
static int
open_directory(const char *path, const char **name)
{
	char directory[4096]; /* PATH_MAX */
	const char *slash;

	slash = strrchr(path, '/');
	*name = slash != NULL ? slash + 1 : path;
	if (slash == NULL)
		strlcpy(directory, ".", sizeof(directory));
	else if (slash == path)
		strlcpy(directory, "/", sizeof(directory));
	else if ((size_t)(slash - path) < sizeof(directory))
		strlcpy(directory, path, (size_t)(slash - path) + 1);
	else {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool
refuse_directory(const char *path, char *why)
{
	if (errno == ENOENT)
		return reason_file(
		    why, path, "its directory does not exist; make it first (mkdir -p)");
	return reason_file(why, path, "its directory: %s", strerror(errno));
}

bool
key_write(
    const struct key *key, const char *path, mode_t mode, gid_t group, char why[KEY_REASON_MAX])
{
	const char *name;
	int directory, fd;
	bool ok;

	why[0] = '\0';
	directory = open_directory(path, &name);
	if (directory < 0)
		return refuse_directory(path, why);
	fd =
	    openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		if (errno == EEXIST)
			reason_file(
			    why, path, "exists and is not overwritten; move it away first");
		else
			reason_file(why, path, "%s", strerror(errno));
		close(directory);
		return false;
	}
	ok = write_text(fd, key) && (group == (gid_t)-1 || fchown(fd, (uid_t)-1, group) == 0) &&
	     fchmod(fd, mode) == 0 && fsync(fd) == 0 && fsync(directory) == 0;
	if (!ok) {
		reason_file(why, path, "%s; nothing was written", strerror(errno));
		unlinkat(directory, name, 0);
	}
	close(fd);
	close(directory);
	return ok;
}
