/*
 * 1d-peers - the receiver's two files of lines of words (lib/words.h): peers, what is demanded
 * of which client, and relay-keys, who may relay. Every form of a line, which of them wins, the
 * words of every fault, files that must not be used.
 */
#include "receiver/peers.h"
#include "receiver/relaykeys.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "t/tap.h"

#define A43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY0 "key=SHA256:" A43
#define KEY1 "key=SHA256:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ADDRESSES "use 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or [2001:db8::]/32"
#define DEMANDS "use one of may encrypt key=SHA256:..."

static struct peers peers;
static char why[PEERS_REASON_MAX];

static struct sockaddr_storage
address(const char *text)
{
	struct sockaddr_storage a;
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = 1};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = 1};

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
		memcpy(&a, &six, sizeof(six));
	else if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		memcpy(&a, &four, sizeof(four));
	return a;
}

/* What is demanded of a client, as "3 encrypt 0": line, demand, keys. */
static void
gets(const char *text, const char *client, const char *wanted)
{
	static const char *const demands[] = {"may", "encrypt", "key"};
	const struct sockaddr_storage a = address(client);
	char got[PEERS_REASON_MAX + 64];

	if (!peers_parse(&peers, "/p", text, strlen(text), &a, why))
		snprintf(got, sizeof got, "fault: %s", why);
	else
		snprintf(got, sizeof got, "%u %s %zu", peers.line, demands[peers.demand],
		    peers.keys);
	is_str(got, wanted, "%s: %s", client, wanted);
}

static void
test_networks(void)
{
	static const char text[] = "# who           what\n"
				   "192.0.2.0/24     encrypt\n"
				   "192.0.2.128/25   may\n"
				   "\t192.0.2.7 \t" KEY0 " " KEY1 "# two keys\n"
				   "[2001:db8::]/32  encrypt\n"
				   "2001:DB8:0:1::/64 may\n"
				   "[2001:db8::7]    " KEY1 "\n"
				   "10.0.0.0/7       encrypt";

	gets("", "192.0.2.1", "0 may 0");
	gets(text, "192.0.2.1", "2 encrypt 0");
	gets(text, "192.0.2.127", "2 encrypt 0");
	gets(text, "192.0.2.128", "3 may 0");
	gets(text, "192.0.2.255", "3 may 0");
	gets(text, "192.0.3.0", "0 may 0");
	gets(text, "192.0.2.7", "4 key 2");
	is_int(peers.key[1][0], 1, "the second of its keys");
	gets(text, "2001:db8:ffff::1", "5 encrypt 0");
	gets(text, "2001:db8:0:1::1", "6 may 0");
	gets(text, "2001:db8::7", "7 key 1");
	gets(text, "2001:db9::7", "0 may 0");
	gets(text, "11.255.0.1", "8 encrypt 0");
	gets(text, "12.0.0.0", "0 may 0");
	gets("0.0.0.0/0 encrypt\n", "203.0.113.9", "1 encrypt 0");
	gets("0.0.0.0/0 encrypt\n", "2001:db8::1", "0 may 0");
	gets("::/0 encrypt\n", "2001:db8::1", "1 encrypt 0");
	gets("::/0 encrypt\n", "203.0.113.9", "0 may 0");
	/* The order of lines is of no account. */
	gets("192.0.2.1 may\n192.0.2.0/24 encrypt\n", "192.0.2.1", "1 may 0");
	ok(peers_parse(&peers, "/p", text, strlen(text), NULL, why) && peers.networks == 7,
	    "without a client its networks are counted");
}

/* The reason is exactly that, whoever the client is. */
static void
fails(const char *text, const char *wanted)
{
	ok(!peers_parse(&peers, "/p", text, strlen(text), NULL, why), "%s", wanted);
	is_str(why, wanted, "in these words");
}

static void
test_faults(void)
{
	fails("host.test encrypt\n", "/p:1: 'host.test' is no address; " ADDRESSES);
	fails("* encrypt\n", "/p:1: '*' is no address; " ADDRESSES);
	fails("[192.0.2.1] encrypt\n", "/p:1: '[192.0.2.1]' is no address; " ADDRESSES);
	fails("192.0.2 encrypt\n", "/p:1: '192.0.2' is no address; " ADDRESSES);
	fails("[2001:db8:: encrypt\n", "/p:1: '[2001:db8::' is no address; " ADDRESSES);
	fails("192.0.2.0/33 may\n",
	    "/p:1: '192.0.2.0/33' has no number from 0 to 32 behind the /");
	fails("192.0.2.0/ may\n", "/p:1: '192.0.2.0/' has no number from 0 to 32 behind the /");
	fails("192.0.2.0/+8 may\n",
	    "/p:1: '192.0.2.0/+8' has no number from 0 to 32 behind the /");
	fails("192.0.2.0/024 may\n",
	    "/p:1: '192.0.2.0/024' has no number from 0 to 32 behind the /");
	fails("::/129 may\n", "/p:1: '::/129' has no number from 0 to 128 behind the /");
	fails("192.0.2.1/24 may\n",
	    "/p:1: '192.0.2.1/24' has more than its first 24 bits set; clear them");
	fails("::1/0 may\n", "/p:1: '::1/0' has more than its first 0 bits set; clear them");
	fails("::ffff:192.0.2.1 may\n",
	    "/p:1: '::ffff:192.0.2.1' is an IPv4 address; write it as one");
	fails("\n192.0.2.1\n", "/p:2: '192.0.2.1' demands nothing; " DEMANDS);
	fails("192.0.2.1 # encrypt\n", "/p:1: '192.0.2.1' demands nothing; " DEMANDS);
	fails("192.0.2.1 encrpyt\n", "/p:1: 'encrpyt' is no demand; " DEMANDS);
	fails("192.0.2.1 Encrypt\n", "/p:1: 'Encrypt' is no demand; " DEMANDS);
	fails("192.0.2.1 encrypt may\n", "/p:1: 'may' is a second demand; choose one");
	fails("192.0.2.1 encrypt encrypt\n", "/p:1: 'encrypt' is a second demand; choose one");
	fails(
	    "192.0.2.1 encrypt " KEY0 "\n", "/p:1: '" KEY0 "' is a second demand; choose one");
	fails("192.0.2.1 " KEY0 " may\n", "/p:1: 'may' is a second demand; choose one");
	fails("192.0.2.1 " KEY0 " " KEY0 "\n", "/p:1: '" KEY0 "' stands twice in this line");
	fails("192.0.2.1 key=SHA256:AAAA\n",
	    "/p:1: 'key=SHA256:AAAA' is no key; blackpony-keygen -l shows it: key=SHA256: and "
	    "43 characters");
	fails("192.0.2.1 may\r\n",
	    "/p:1: '192.0.2.1 may?' ends as lines do in DOS; remove the \\r");
	fails("192.0.2.1 may # \x1b\n",
	    "/p:1: '192.0.2.1 may # ?' has the control character 0x1b in it");
	fails("192.0.2.1 may\n::1 may\n192.0.2.1/32 encrypt\n",
	    "/p:3: '192.0.2.1/32' stands in line 1 already; make one line of the two");
	fails("::/8 may\n0::/8 may\n::/8 may\n",
	    "/p:2: '0::/8' stands in line 1 already; make one line of the two");
	/* A fault behind the line that is wanted counts as well. */
	gets("192.0.2.1 may\nnonsense\n", "192.0.2.1",
	    "fault: /p:2: 'nonsense' is no address; " ADDRESSES);
}

static void
test_too_many_keys(void)
{
	char text[1024] = "192.0.2.1";

	for (int i = 0; i <= PEERS_KEYS; i++) {
		char key[] = " " KEY0;

		key[sizeof(key) - 3] = (char)('B' + i);
		strlcat(text, key, sizeof(text));
	}
	ok(!peers_parse(&peers, "/p", text, strlen(text), NULL, why) &&
		strstr(why, "is one key too many; a line has room for 8") != NULL,
	    "nine keys: %s", why);
}

static void
test_has_key(void)
{
	const uint8_t public[KEY_OCTETS] = {9}, other[KEY_OCTETS] = {8};
	const struct sockaddr_storage client = address("192.0.2.1");
	char text[256], fingerprint[KEY_FINGERPRINT_MAX];

	key_fingerprint(public, fingerprint);
	snprintf(text, sizeof(text), "192.0.2.1 " KEY0 " key=%s", fingerprint);
	ok(peers_parse(&peers, "/p", text, strlen(text), &client, why), "a key: %s", why);
	ok(peers_has_key(&peers, public), "it is listed");
	ok(!peers_has_key(&peers, other), "another is not");
}

static struct relaykeys relays;

static bool
lists(const char *text, const uint8_t public[KEY_OCTETS])
{
	return relaykeys_parse(&relays, "/r", text, strlen(text), public, why) && relays.listed;
}

static void
relays_fail(const char *text, const uint8_t public[KEY_OCTETS], const char *wanted)
{
	ok(!relaykeys_parse(&relays, "/r", text, strlen(text), public, why) && !relays.listed,
	    "%s", wanted);
	is_str(why, wanted, "in these words");
}

static void
test_relay_keys(void)
{
	const uint8_t zero[KEY_OCTETS] = {0}, other[KEY_OCTETS] = {8};
	char print[KEY_FINGERPRINT_MAX], text[256];

	key_fingerprint(zero, print);
	ok(!lists("", zero) && relays.keys == 0, "an empty file lists nobody");
	ok(!lists("# nobody\n", zero), "nor does a comment");
	snprintf(text, sizeof(text), "# x\n%s mail.a.test of a\n", print);
	ok(lists(text, zero) && relays.keys == 1, "a fingerprint");
	ok(!lists(text, other) && relays.keys == 1, "of another");
	ok(!lists(text, NULL) && relays.keys == 1, "of nobody");
	snprintf(text, sizeof(text), "#%s\n", print);
	ok(!lists(text, zero), "one in a comment");
	ok(lists("SHA256:" A43 "\n\txpony-x25519\t" A43 " mail.a.test\n", zero),
	    "a public key");
	is_int(relays.keys, 2, "two keys");
	relays_fail("SHA256:AAAA\n", zero,
	    "/r:1: 'SHA256:AAAA' is no key; use SHA256:..., or xpony-x25519 and what follows "
	    "it "
	    "in blackpony-keygen -y");
	relays_fail(A43 "\n", zero,
	    "/r:1: '" A43 "' is no key; use SHA256:..., or xpony-x25519 and what follows it "
	    "in blackpony-keygen -y");
	relays_fail("xpony-x25519\n", zero,
	    "/r:1: '' is no key; blackpony-keygen -y shows it: xpony-x25519 and 43 "
	    "characters");
	relays_fail("xpony-x25519 " A43 "\nxpony-x25519 AAAA\n", zero,
	    "/r:2: 'AAAA' is no key; blackpony-keygen -y shows it: xpony-x25519 and 43 "
	    "characters");
}

static void
test_own_names(void)
{
	ok(relaykeys_is_own_name("mail.a.test", "mail.a.test"), "its name");
	ok(relaykeys_is_own_name("MAIL.A.test", "mail.a.TEST"), "in any case");
	ok(relaykeys_is_own_name("mail.a.test.", "mail.a.test"), "with a dot");
	ok(!relaykeys_is_own_name("mail.a.test", "mail.a.tes"), "a part of it");
	ok(!relaykeys_is_own_name("mail.a.tes", "mail.a.test"), "more than it");
	ok(!relaykeys_is_own_name("", "mail.a.test"), "no host meant");
	ok(!relaykeys_is_own_name("", ""), "no name at all");
	ok(!relaykeys_is_own_name(".", "."), "only a dot");
	ok(!relaykeys_is_own_name("mail", "mail"), "a short name is anybody's");
	ok(!relaykeys_is_own_name("localhost.", "localhost."), "also with a dot");
}

static void
test_files(void)
{
	const struct sockaddr_storage client = address("192.0.2.1");
	char path[] = "/tmp/blackpony-1d.XXXXXX";
	const uint8_t zero[KEY_OCTETS] = {0};
	static const char text[] = "192.0.2.1 encrypt\n";
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, text, sizeof(text) - 1) != sizeof(text) - 1 || close(fd) != 0)
		bail("cannot write %s", path);
	ok(peers_find(&peers, path, &client, why) && peers.demand == PEERS_ENCRYPT,
	    "a file: %s", why);
	ok(!relaykeys_find(&relays, path, zero, why), "not of the other kind");
	chmod(path, 0666);
	ok(!peers_find(&peers, path, &client, why) && strstr(why, "chmod go-w") != NULL,
	    "one that others may write is refused");
	ok(!relaykeys_find(&relays, path, zero, why) && strstr(why, "chmod go-w") != NULL,
	    "for either use");
	unlink(path);
	ok(peers_find(&peers, path, &client, why) && peers.demand == PEERS_MAY,
	    "a missing file demands nothing");
	ok(relaykeys_find(&relays, path, zero, why) && !relays.listed, "and lists nobody");
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	test_networks();
	test_faults();
	test_too_many_keys();
	test_has_key();
	test_relay_keys();
	test_own_names();
	test_files();
	return tap_done();
}
