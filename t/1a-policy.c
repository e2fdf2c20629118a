/*
 * 1a-policy - the policy file (lib/policy.h): every form of a line, which of them wins, the
 * words of every fault, files that must not be used (lib/textfile.h), and noise.
 */
#include "lib/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "t/tap.h"

#define A43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY0 "key=SHA256:" A43
#define KEY1 "key=SHA256:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ALLOWED "use one of none may encrypt pinned verify pq key=SHA256:..."

static struct policy policy;
static char why[POLICY_REASON_MAX];

static bool
parse(const char *text, const char *destination)
{
	return policy_parse(&policy, "/p", text, strlen(text), destination, why);
}

/* What a destination gets, as "3 encrypt pq 2": line, level, pq, keys. */
static void
gets(const char *text, const char *destination, const char *wanted)
{
	char got[POLICY_REASON_MAX + 64];

	if (!parse(text, destination))
		snprintf(got, sizeof got, "fault: %s", why);
	else
		snprintf(got, sizeof got, "%u %s%s %zu", policy.line, policy_word(policy.level),
		    policy.pq ? " pq" : "", policy.keys);
	is_str(got, wanted, "%s: %s", destination, wanted);
}

static void
test_words(void)
{
	gets("", "a.test", "0 may 0");
	gets("\n\n# a.test encrypt\n \t \n", "a.test", "0 may 0");
	gets("a.test none\n", "a.test", "1 none 0");
	gets("a.test may\n", "a.test", "1 may 0");
	gets("a.test encrypt\n", "a.test", "1 encrypt 0");
	gets("a.test pinned\n", "a.test", "1 pinned 0");
	gets("a.test verify\n", "a.test", "1 verify 0");
	gets("a.test pq\n", "a.test", "1 encrypt pq 0");
	gets("a.test encrypt pq\n", "a.test", "1 encrypt pq 0");
	gets("a.test pq pinned\n", "a.test", "1 pinned pq 0");
	gets("a.test verify pq\n", "a.test", "1 verify pq 0");
	gets("a.test " KEY0 "\n", "a.test", "1 verify 1");
	gets("a.test pq " KEY0 "\n", "a.test", "1 verify pq 1");
	gets("a.test " KEY1 " verify pq " KEY0 "\n", "a.test", "1 verify pq 2");
	is_int(policy.key[0][0], 1, "its first key");
	is_int(policy.key[1][0], 0, "its second");
	gets("\ta.test \t encrypt \t# why not\n", "a.test", "1 encrypt 0");
	gets("a.test encrypt#why not\n", "a.test", "1 encrypt 0");
	gets("a.test encrypt # b\xc3\xbc"
	     "cher\n",
	    "a.test", "1 encrypt 0");
	gets("# x\n\na.test encrypt", "a.test", "3 encrypt 0");
}

static void
test_destinations(void)
{
	static const char text[] = "*                  may\n"
				   ".test              encrypt\n"
				   ".Deep.TEST.        pinned\n"
				   "a.deep.test        none\n"
				   "Deep.test.         verify\n"
				   "[192.0.2.1]        pq\n"
				   "192.0.2.2          encrypt\n"
				   "[2001:DB8:0::1]    pinned\n"
				   "[IPv6:2001:db8::2] verify\n"
				   "[mx.test]          none\n"
				   "xn--bcher-kva.test pinned\n"
				   "localhost          none\n"
				   "under_score.test   none\n"
				   "[::ffff:192.0.2.3] none\n";

	gets(text, "elsewhere.org", "1 may 0");
	gets(text, "test", "1 may 0");
	gets(text, "b.test", "2 encrypt 0");
	gets(text, "b.c.test", "2 encrypt 0");
	gets(text, "btest", "1 may 0");
	gets(text, "deep.test", "5 verify 0");
	gets(text, "b.deep.test", "3 pinned 0");
	gets(text, "notdeep.test", "2 encrypt 0");
	gets(text, "b.A.Deep.Test", "3 pinned 0");
	gets(text, "a.deep.test", "4 none 0");
	gets(text, "A.DEEP.test.", "4 none 0");
	gets(text, "[192.0.2.1]", "6 encrypt pq 0");
	gets(text, "192.0.2.1", "6 encrypt pq 0");
	gets(text, "[192.0.2.2]", "7 encrypt 0");
	gets(text, "[192.0.2.9]", "1 may 0");
	gets(text, "[IPv6:2001:db8:0:0::1]", "8 pinned 0");
	gets(text, "[2001:db8::2]", "9 verify 0");
	gets(text, "mx.test", "10 none 0");
	gets(text, "[mx.test.]", "10 none 0");
	gets(text, "[b.deep.test]", "3 pinned 0");
	gets(text, "XN--Bcher-KVA.test", "11 pinned 0");
	gets(text, "localhost", "12 none 0");
	gets(text, "under_score.test", "13 none 0");
	gets(text, "[192.0.2.3]", "14 none 0");
	gets(".test may\n", "elsewhere.org", "0 may 0");
	/* The order of lines is of no account. */
	gets(
	    "a.b.test none\n.b.test pinned\n.test encrypt\n* verify\n", "a.b.test", "1 none 0");
	gets(
	    "* verify\n.test encrypt\n.b.test pinned\na.b.test none\n", "a.b.test", "4 none 0");
}

/* The reason is exactly that. */
static void
fails(const char *text, const char *wanted)
{
	is_int(parse(text, "other.test"), false, "%s", wanted);
	is_str(why, wanted, "in these words");
}

static void
test_word_faults(void)
{
	fails("#\n\na.test encrypt\nb.test encrpyt\n",
	    "/p:4: 'encrpyt' is no policy word; " ALLOWED);
	fails("a.test Encrypt\n", "/p:1: 'Encrypt' is no policy word; " ALLOWED);
	fails("a.test encrypt,pq\n", "/p:1: 'encrypt,pq' is no policy word; " ALLOWED);
	fails("a.test encrypt \x1b\n",
	    "/p:1: 'a.test encrypt ?' has the control character 0x1b in it");
	fails("a.test encrypt\r\n",
	    "/p:1: 'a.test encrypt?' ends as lines do in DOS; remove the \\r");
	fails("a.test encrypt # \x7f\n",
	    "/p:1: 'a.test encrypt # ?' has the control character 0x7f in it");
	fails("a.test\n", "/p:1: 'a.test' has no policy; " ALLOWED);
	fails("a.test # encrypt\n", "/p:1: 'a.test' has no policy; " ALLOWED);
	fails("a.test may encrypt\n",
	    "/p:1: 'encrypt' is a second level beside 'may'; choose one");
	fails("a.test none none\n", "/p:1: 'none' is a second level beside 'none'; choose one");
	fails("a.test pq verify pq\n", "/p:1: 'pq' stands twice in this line");
	fails("a.test none pq\n",
	    "/p:1: 'a.test' has 'none' and pq, which goes with encrypt, pinned or verify");
	fails("a.test pq may\n",
	    "/p:1: 'a.test' has 'may' and pq, which goes with encrypt, pinned or verify");
	fails("a.test none " KEY0 "\n",
	    "/p:1: 'a.test' has 'none' and key=, which goes with 'verify' only");
	fails("a.test " KEY0 " encrypt\n",
	    "/p:1: 'a.test' has 'encrypt' and key=, which goes with 'verify' only");
	fails("a.test pinned pq " KEY0 "\n",
	    "/p:1: 'a.test' has 'pinned' and key=, which goes with 'verify' only");
	fails("a.test key=\n", "/p:1: 'key=' is no key; blackpony-keygen -l shows it: "
			       "key=SHA256: and 43 characters");
	fails("a.test " KEY0 " " KEY0 "\n", "/p:1: '" KEY0 "' stands twice in this line");
	fails("a.test " KEY0 "A\n",
	    "/p:1: '" KEY0
	    "A' is no key; blackpony-keygen -l shows it: key=SHA256: and 43 characters");
	fails("a.test key=sha256:" A43 "\n",
	    "/p:1: 'key=sha256:" A43
	    "' is no key; blackpony-keygen -l shows it: key=SHA256: and 43 characters");
	/* Trailing bits: 43 characters of base64 hold two more than 32 octets have. */
	fails("a.test key=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\n",
	    "/p:1: 'key=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"
	    "' is no key; blackpony-keygen -l shows it: key=SHA256: and 43 characters");
}

static void
test_key_count(void)
{
	char text[1024] = "a.test";

	for (int i = 0; i < POLICY_KEYS; i++) {
		const size_t n = strlen(text);

		snprintf(text + n, sizeof text - n,
		    " key=SHA256:%cAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 'A' + i);
	}
	gets(text, "a.test", "1 verify 8");
	strlcat(text, " " KEY1, sizeof text);
	fails(text, "/p:1: '" KEY1 "' is one key too many; a line has room for 8");
}

static void
test_destination_faults(void)
{
	const char *const any =
	    "is no destination; use a domain, .domain, [host], [address] or *";
	static const char *const bad[] = {
	    "a..test",
	    ".",
	    "..",
	    "a_%",
	    "user@a.test",
	    "a.test,b.test",
	    "[]",
	    "[a b]",
	    "-",
	};
	char text[600], wanted[256];

	fails("*.a.test may\n",
	    "/p:1: '*.a.test' is no destination; all names below a domain are .domain");
	fails("b\xc3\xbc"
	      "cher.test may\n",
	    "/p:1: 'b??cher.test' is not ASCII; write the A-label of the name (xn--...)");
	fails("\xef\xbb\xbf"
	      "a.test may\n",
	    "/p:1: '???a.test' is not ASCII; write the A-label of the name (xn--...)");
	fails("[192.0.2.1]:25 may\n", "/p:1: '[192.0.2.1]:25' has no ] at its end");
	fails("[a.test may\n", "/p:1: '[a.test' has no ] at its end");
	fails("a.test:25 may\n", "/p:1: 'a.test:25' is no destination; use a domain, [host], "
				 "[192.0.2.1] or [2001:db8::1]");
	fails("2001:db8::1 may\n", "/p:1: '2001:db8::1' is no destination; use a domain, "
				   "[host], [192.0.2.1] or [2001:db8::1]");
	fails("[IPv6:a.test] may\n", "/p:1: '[IPv6:a.test]' is no destination; use a domain, "
				     "[host], [192.0.2.1] or [2001:db8::1]");
	fails(".[192.0.2.1] may\n",
	    "/p:1: '.[192.0.2.1]' is no destination: nothing is below an address");
	fails(".192.0.2.1 may\n",
	    "/p:1: '.192.0.2.1' is no destination: nothing is below an address");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (strcmp(bad[i], "-") == 0 || strcmp(bad[i], "[a b]") == 0)
			continue; /* a name that no host has, and two words */
		snprintf(text, sizeof text, "%s may\n", bad[i]);
		snprintf(wanted, sizeof wanted, "/p:1: '%s' %s", bad[i], any);
		fails(text, wanted);
	}
	memset(text, 'a', 500);
	strlcpy(text + 500, " may\n", sizeof text - 500);
	snprintf(wanted, sizeof wanted, "/p:1: '%.64s...' is too long for a destination", text);
	fails(text, wanted);
}

static void
test_duplicates(void)
{
	fails("a.test may\n# x\nb.test may\nA.Test. encrypt\n",
	    "/p:4: 'A.Test.' stands in line 1 already; make one line of the two");
	fails("* may\n* may\n* may\n",
	    "/p:2: '*' stands in line 1 already; make one line of the two");
	fails(".a.test may\na.test may\n.A.test none\n",
	    "/p:3: '.A.test' stands in line 1 already; make one line of the two");
	fails("[192.0.2.1] may\n192.0.2.1 may\n",
	    "/p:2: '192.0.2.1' stands in line 1 already; make one line of the two");
	fails("[a.test] may\na.test may\n",
	    "/p:2: 'a.test' stands in line 1 already; make one line of the two");
	fails("[2001:db8::1] may\n[IPv6:2001:DB8:0::1] may\n",
	    "/p:2: '[IPv6:2001:DB8:0::1]' stands in line 1 already; make one line of the two");
	gets(".a.test none\na.test may\n* pq\n", "a.test", "2 may 0");
}

static void
test_octets(void)
{
	static const char nul[] = "a.test may\0 encrypt\n";

	ok(!policy_parse(&policy, "/p", nul, sizeof nul - 1, "a.test", why), "a NUL in a line");
	is_str(why, "/p:1: 'a.test may? encrypt' has the control character 0x00 in it",
	    "is a fault");
	ok(policy_parse(&policy, "/p", "* encryptXYZ", 9, "a.test", why) &&
		policy.level == POLICY_ENCRYPT,
	    "the text ends where its length says");
	ok(!parse("* may\n", "a..test"), "a destination that is none");
	is_str(why,
	    "destination 'a..test' is no destination; use a domain, .domain, [host], [address] "
	    "or *",
	    "is named");
	ok(!parse("* may\n", ""), "an empty one");
	ok(!parse("* may\n", "*"), "a wildcard");
	ok(!parse("* may\n", ".test"), "a domain with what is below it");
}

/* Many lines: none is lost, a fault in the last one is found. */
static void
test_size(void)
{
	const size_t lines = 50000, cap = lines * 24 + 64;
	char *text = malloc(cap);
	size_t n = 0;

	if (text == NULL)
		bail("no memory");
	for (size_t i = 0; i < lines; i++)
		n += (size_t)snprintf(text + n, cap - n, "h%zu.test pinned\n", i);
	gets(text, "h49999.test", "50000 pinned 0");
	snprintf(text + n, cap - n, "H777.test may\n");
	fails(
	    text, "/p:50001: 'H777.test' stands in line 778 already; make one line of the two");
	free(text);
}

/* Noise made of what files are made of: no crash, and every refusal is one printable line. */
static void
test_noise(void)
{
	static const char *const piece[] = {"a.test", ".test", "*", "[192.0.2.1]", "[", "]",
	    " ", " ", "\n", "\n", "\t", "#", "may", "none", "encrypt", "pinned", "verify", "pq",
	    KEY0, KEY1, "key=", ".", ":", "\r", "\xff", "IPv6:"};
	unsigned bad = 0, good = 0;
	char text[400];

	for (unsigned round = 0; round < 60000; round++) {
		const unsigned pieces = randombytes_uniform(12);
		size_t n = 0;

		text[0] = '\0';
		for (unsigned i = 0; i < pieces; i++)
			n = strlcat(text,
			    piece[randombytes_uniform(sizeof piece / sizeof *piece)],
			    sizeof text);
		if (n >= sizeof text)
			n = sizeof text - 1;
		if (n > 0 && randombytes_uniform(4) == 0)
			text[randombytes_uniform((uint32_t)n)] = (char)randombytes_uniform(256);
		memset(why, 'x', sizeof why);
		if (policy_parse(&policy, "/p", text, n, "a.test", why)) {
			good++;
			bad += policy.level > POLICY_VERIFY || policy.keys > POLICY_KEYS;
			continue;
		}
		bad += memchr(why, '\0', sizeof why) == NULL || strncmp(why, "/p:", 3) != 0;
		for (const char *c = why; *c != '\0'; c++)
			bad += *c < ' ' || *c > '~';
	}
	is_int(bad, 0, "60000 texts of noise");
	ok(good > 1000, "of which some are policies (%u)", good);
}

static char directory[] = "/tmp/blackpony-policy.XXXXXX";

static void
write_file(const char *name, const char *text, mode_t mode)
{
	const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    fchmod(fd, mode) != 0)
		bail("%s: %s", name, strerror(errno));
	close(fd);
}

static void
refuses(const char *path, const char *wanted)
{
	is_int(policy_find(&policy, path, "a.test", why), false, "%s", wanted);
	is_str(why, wanted, "in these words");
}

static void
test_files(void)
{
	ok(policy_find(&policy, "missing", "a.test", why) && policy.level == POLICY_MAY &&
		policy.line == 0,
	    "no file: may");
	write_file("good", "a.test pinned\n", 0644);
	ok(policy_find(&policy, "good", "a.test", why) && policy.level == POLICY_PINNED,
	    "a file");
	write_file("empty", "", 0644);
	ok(policy_find(&policy, "empty", "a.test", why) && policy.level == POLICY_MAY,
	    "an empty file");
	if (symlink("good", "link") != 0 || symlink("nothing", "dangling") != 0 ||
	    mkfifo("fifo", 0600) != 0)
		bail("no links");
	ok(policy_find(&policy, "link", "a.test", why) && policy.level == POLICY_PINNED,
	    "a symbolic link is followed");
	refuses("dangling", "dangling: is a symbolic link to nothing");
	refuses("fifo", "fifo: not a regular file");
	refuses(".", ".: not a regular file");
	refuses("good/x", "good/x: Not a directory");
	write_file("bad", "a.test\n", 0644);
	refuses("bad", "bad:1: 'a.test' has no policy; " ALLOWED);
	write_file("open", "a.test may\n", 0664);
	refuses("open", "open: mode 0664 lets others than its owner write to it (chmod go-w)");
	write_file("open", "a.test may\n", 0646);
	refuses("open", "open: mode 0646 lets others than its owner write to it (chmod go-w)");
	if (truncate("empty", POLICY_FILE_MAX + 1) != 0)
		bail("no large file");
	refuses("empty", "empty: longer than 4194304 octets");
}

/* As root: a file of somebody else, and as somebody else: one that cannot be read. */
static void
test_owners(void)
{
	char wanted[200];

	write_file("foreign", "a.test may\n", 0644);
	write_file("secret", "a.test may\n", 0600);
	if (chown("foreign", 1, 1) != 0 || chmod(".", 0755) != 0 || seteuid(2) != 0)
		bail("%s", strerror(errno));
	snprintf(wanted, sizeof wanted,
	    "foreign: belongs to uid 1; must belong to root or uid 2 (chown)");
	refuses("foreign", wanted);
	refuses("secret", "secret: Permission denied");
	ok(policy_find(&policy, "good", "a.test", why), "root's file is good for all");
	if (seteuid(0) != 0)
		bail("%s", strerror(errno));
}

static void
clean_up(void)
{
	static const char *const name[] = {
	    "good", "empty", "link", "dangling", "fifo", "bad", "open", "foreign", "secret"};

	for (size_t i = 0; i < sizeof name / sizeof *name; i++)
		unlink(name[i]);
	rmdir(directory);
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("no libsodium");
	test_words();
	test_destinations();
	test_word_faults();
	test_key_count();
	test_destination_faults();
	test_duplicates();
	test_octets();
	test_size();
	test_noise();
	if (mkdtemp(directory) == NULL || chdir(directory) != 0)
		bail("no scratch directory");
	atexit(clean_up);
	test_files();
	if (geteuid() == 0)
		test_owners();
	return tap_done();
}
