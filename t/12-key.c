/* 12-key - the host key as the monitors use it: Diffie-Hellman, fingerprint, files (lib/key.h).
 * What a person sees of it is in 11-keygen. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "lib/key.h"
#include "lib/sandbox.h"
#include "tap.h"

static char directory[] = "/tmp/blackpony-key.XXXXXX";

static void
from_hex(uint8_t *octets, size_t n, const char *hex)
{
	size_t len;

	if (sodium_hex2bin(octets, n, hex, strlen(hex), NULL, &len, NULL) != 0 || len != n)
		bail("bad hex in the test");
}

static void
put_file(const char *path, const char *text)
{
	FILE *f;

	unlink(path);
	f = fopen(path, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0 || chmod(path, 0600) != 0)
		bail("%s: %s", path, strerror(errno));
}

/* RFC 7748 section 6.1, Alice, as a key file; Bob's point. */
#define ALICE "x25519 dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo"

static void
test_rfc7748(void)
{
	uint8_t want[KEY_OCTETS], bob[KEY_OCTETS], shared[KEY_OCTETS];
	char why[KEY_REASON_MAX], fingerprint[KEY_FINGERPRINT_MAX];
	struct key *key;

	put_file("alice", "blackpony-host-key 1\n" ALICE " alice's key\n");
	if (!ok(key_read(&key, "alice", why) == KEY_OK, "Alice's file is read"))
		bail("%s", why);
	from_hex(want, sizeof(want),
	    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	is_mem(key_public(key), KEY_OCTETS, want, sizeof(want), "her public key");
	is_str(key_comment(key), "alice's key", "her comment");
	from_hex(bob, sizeof(bob),
	    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	from_hex(want, sizeof(want),
	    "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	ok(key_dh(key, bob, shared), "DH with Bob");
	is_mem(shared, sizeof(shared), want, sizeof(want), "the secret that they share");
	key_fingerprint(key_public(key), fingerprint);
	is_str(fingerprint, "SHA256:MAyclgO5Kks57TlYv5JAEUgE20/TcwEsDKR0MtY0Ja4",
	    "her fingerprint");
	key_free(key);
}

/* Points of low order (RFC 7748 section 7): all give the all-zero secret, whatever ours is. */
static void
test_low_order(void)
{
	static const char *const points[] = {
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t point[KEY_OCTETS], out[KEY_OCTETS];
	struct key *key = key_fresh();

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		from_hex(point, sizeof(point), points[i]);
		ok(!key_dh(key, point, out), "low order refused: %.8s...", points[i]);
	}
	key_free(key);
}

static void
test_fresh(void)
{
	struct key *a = key_fresh(), *b = key_fresh();
	uint8_t ab[KEY_OCTETS], ba[KEY_OCTETS];
	char longest[KEY_COMMENT_MAX + 1];

	ok(memcmp(key_public(a), key_public(b), KEY_OCTETS) != 0, "fresh keys differ");
	ok(key_dh(a, key_public(b), ab) && key_dh(b, key_public(a), ba), "DH both ways");
	is_mem(ab, sizeof(ab), ba, sizeof(ba), "both ways agree");
	is_str(key_comment(a), "", "no comment yet");
	memset(longest, 'c', sizeof(longest));
	longest[KEY_COMMENT_MAX] = '\0';
	ok(!key_set_comment(a, longest), "comment one too long");
	longest[KEY_COMMENT_MAX - 1] = '\0';
	ok(key_set_comment(a, longest), "comment of the longest kind");
	ok(!key_set_comment(a, "caf\303\251"), "comment beyond ASCII");
	ok(!key_set_comment(a, "tab\there"), "comment with a tab");
	ok(!key_set_comment(a, "\177"), "comment with a DEL");
	is_str(key_comment(a), longest, "a refused comment changes nothing");
	key_free(a);
	key_free(b);
	key_free(NULL);
}

static void
test_write(void)
{
	char why[KEY_REASON_MAX], path[64];
	struct key *key = key_fresh(), *again;
	struct stat st;

	key_set_comment(key, "round trip");
	umask(0);
	snprintf(path, sizeof(path), "%s/absolute", directory);
	ok(key_write(key, path, 0600, (gid_t)-1, why), "written by an absolute path");
	ok(stat("absolute", &st) == 0 && (st.st_mode & 07777) == 0600, "mode 0600");
	is_int(key_read(&again, "absolute", why), KEY_OK, "and read again");
	is_mem(key_public(again), KEY_OCTETS, key_public(key), KEY_OCTETS, "the same key");
	is_str(key_comment(again), "round trip", "the same comment");
	key_free(again);
	ok(!key_write(key, path, 0600, (gid_t)-1, why), "not written over");
	ok(strstr(why, path) != NULL && strstr(why, "exists") != NULL, "and why: %s", why);
	umask(077);
	ok(key_write(key, "shared", 0640, getgid(), why), "written for a group");
	ok(stat("shared", &st) == 0 && (st.st_mode & 07777) == 0640, "mode 0640");
	umask(022);
	key_free(key);
}

static void
test_missing_and_refused(void)
{
	char why[KEY_REASON_MAX], longest[600];
	struct key *key = (struct key *)why;

	is_int(key_read(&key, "none", why), KEY_MISSING, "no file: missing");
	ok(key == NULL && strstr(why, "none: ") == why, "and why: %s", why);
	is_int(key_read(&key, "none/none", why), KEY_MISSING, "no directory: missing");
	is_int(
	    key_read(&key, "alice/none", why), KEY_REFUSED, "no directory but a file: refused");
	put_file("open", "blackpony-host-key 1\n" ALICE "\n");
	chmod("open", 0604);
	is_int(key_read(&key, "open", why), KEY_REFUSED, "too open: refused");
	ok(key == NULL && strstr(why, "too open") != NULL, "and why: %s", why);
	put_file("cut", "blackpony-host-key 1\n" ALICE);
	is_int(key_read(&key, "cut", why), KEY_REFUSED, "cut off: refused");
	ok(strstr(why, "dwdtCn") == NULL, "no secret in why: %s", why);
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	is_int(key_read(&key, longest, why), KEY_REFUSED, "a long name: refused");
	ok(strlen(why) < KEY_REASON_MAX && strstr(why, "File name too long") != NULL,
	    "why stays in its bounds");
}

/* Every file one octet shorter than a whole one, or with one octet changed to another kind. */
static void
test_every_octet(void)
{
	static const char whole[] = "blackpony-host-key 1\n" ALICE " c\n";
	char text[sizeof(whole)], why[KEY_REASON_MAX];
	struct key *key;
	unsigned taken = 0;

	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		memcpy(text, whole, n);
		text[n] = '\0';
		put_file("short", text);
		taken += key_read(&key, "short", why) != KEY_REFUSED;
		key_free(key);
	}
	is_int(taken, 0, "every shorter file is refused");
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		memcpy(text, whole, sizeof(whole));
		text[n] = '\t';
		put_file("changed", text);
		taken += key_read(&key, "changed", why) != KEY_REFUSED;
		key_free(key);
	}
	is_int(taken, 0, "a tab in any place is refused");
}

static void
test_sandbox(void)
{
	const struct sandbox walls = {.role = SANDBOX_KEYGEN, .root = -1};
	char line[64] = "", status[4096] = "";
	FILE *f;

	ok(sandbox_enter(&walls), "sandbox entered");
	f = fopen("/proc/self/status", "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "NoNewPrivs:", 11) == 0)
			snprintf(status, sizeof(status), "%s", line);
	}
	if (f != NULL)
		fclose(f);
	is_str(status, "NoNewPrivs:\t1\n", "no new privileges");
	ok(sandbox_enter(&walls), "entered twice does no harm");
}

static void
clean_up(void)
{
	static const char *const names[] = {
	    "absolute", "alice", "changed", "cut", "open", "shared", "short"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	ok(chdir("/") == 0 && rmdir(directory) == 0, "no other file was left");
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("no libsodium");
	if (mkdtemp(directory) == NULL || chdir(directory) != 0)
		bail("no scratch directory");
	test_rfc7748();
	test_low_order();
	test_fresh();
	test_write();
	test_missing_and_refused();
	test_every_octet();
	test_sandbox();
	clean_up();
	return tap_done();
}
