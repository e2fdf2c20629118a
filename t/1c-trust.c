/*
 * 1c-trust - which hosts get mail, and how (mailer/trust.h): every policy word, pins, and the
 * rule of commitments (PROTOCOL.md, "Commitments") over simulated weeks, with a real pin store
 * and a real policy file. DNS alone is played, by the call through which trust asks for it.
 *
 * Keys are letters. Each test has a domain of its own in the store.
 */
#include "mailer/trust.h"
#include "lib/key.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/tap.h"

#define DAY ((int64_t)86400)
#define HOUR ((int64_t)3600)
#define START 1800000000
#define ABSENT (-1) /* no commitment in payload 3 */
#define MONTH (30 * DAY)

static char directory[] = "/tmp/blackpony-trust.XXXXXX";
static char policy_file[64];
static struct trust trust;
static struct hop hop = {.host = "mx.test"};
static struct trust_terms terms;
static char why[TRUST_TEXT];
static struct trust_dns dns; /* what DNS says */
static unsigned dns_asked;

static void
play_dns(void *context, const char *host, struct trust_dns *answer)
{
	(void)context;
	(void)host;
	dns_asked++;
	*answer = dns;
}

static void
key_of(char letter, uint8_t key[32])
{
	memset(key, letter, 32);
}

static void
print_of(char letter, uint8_t fingerprint[32])
{
	uint8_t key[32];

	key_of(letter, key);
	crypto_hash_sha256(fingerprint, key, sizeof(key));
}

static const char *
text_of(char letter)
{
	static char text[4][KEY_FINGERPRINT_MAX];
	static unsigned turn;
	uint8_t key[32];

	key_of(letter, key);
	turn = (turn + 1) % 4;
	key_fingerprint(key, text[turn]);
	return text[turn];
}

static void
policy(const char *words)
{
	FILE *f = fopen(policy_file, "w");

	if (f == NULL || fprintf(f, "* %s\n", words) < 0 || fclose(f) != 0)
		bail("%s: %s", policy_file, strerror(errno));
}

/* A new domain, nothing known, policy may. */
static void
begin(const char *domain)
{
	(void)snprintf(hop.domain, sizeof(hop.domain), "%s.test", domain);
	hop.mx_authentic = false;
	memset(&dns, 0, sizeof(dns));
	dns_asked = 0;
	trust.now = START;
	trust.rot = false;
	policy("may");
	diag("%s", domain);
}

/* All sessions of a test are so long after its begin(). */
static void
at(int64_t seconds)
{
	trust.now = START + seconds;
}

static bool
host(void)
{
	return trust_host(&trust, &hop, &terms, why);
}

static bool
meet_with(char letter, int64_t max_age, const char *announced, bool pq)
{
	struct commitment c = {.present = max_age != ABSENT};
	uint8_t key[32];

	key_of(letter, key);
	if (c.present)
		c.max_age = (uint32_t)max_age;
	for (; *announced != '\0'; announced++)
		print_of(*announced, c.key[c.keys++]);
	return host() && trust_peer(&trust, &hop, key, pq, &c, why);
}

/* A session with a host that shows this key, commits for max_age, and announces these. */
static bool
meet(char letter, int64_t max_age, const char *announced)
{
	return meet_with(letter, max_age, announced, true);
}

static void
accepted(char letter, int64_t max_age, const char *announced, const char *verdict)
{
	if (!ok(meet(letter, max_age, announced), "%c is accepted", letter))
		diag("%s", why);
	is_str(trust.verdict, verdict, "as %s", verdict);
}

static void
refused(char letter, const char *reason)
{
	ok(!meet(letter, ABSENT, ""), "%c is refused", letter);
	if (!ok(strstr(why, reason) != NULL, "and why: %s", reason))
		diag("%s", why);
}

/* Seconds for which a commitment is enforced from now on. */
static int64_t
term(void)
{
	struct pins_host known;
	int64_t longest = 0;

	pins_get(trust.pins, hop.domain, hop.host, &known);
	for (uint32_t i = 0; i < known.keys; i++)
		if (known.key[i].committed_until - trust.now > longest)
			longest = known.key[i].committed_until - trust.now;
	return longest;
}

static uint32_t
keys_known(void)
{
	struct pins_host known;

	pins_get(trust.pins, hop.domain, hop.host, &known);
	return known.keys;
}

/* Does the note name both keys? */
static void
noted_change(char from, char to)
{
	char wanted[TRUST_TEXT];

	(void)snprintf(
	    wanted, sizeof(wanted), "key changed from %s to %s", text_of(from), text_of(to));
	is_str(trust.note, wanted, "the note names both keys");
}

/* In a delivery of its own. */
static bool
clear(bool starttls, bool *enforce)
{
	trust.deferred = false;
	return host() && trust_clear(&trust, &hop, starttls, enforce, why);
}

/* --- pins without commitments */

static void
test_pins(void)
{
	begin("pins");
	accepted('A', ABSENT, "", "new");
	is_str(trust.note, "", "nothing to note");
	at(HOUR);
	accepted('A', ABSENT, "", "known");
	accepted('B', ABSENT, "", "changed");
	noted_change('A', 'B');
	is_int(keys_known(), 1, "the former key is forgotten");
	accepted('B', ABSENT, "", "known");
	accepted('A', ABSENT, "", "changed");
	noted_change('B', 'A');
	is_int(dns_asked, 0, "DNS was not asked");
}

/* --- the term */

static void
test_one_sighting(void)
{
	bool enforce;

	begin("one-sighting");
	accepted('A', MONTH, "N", "new");
	is_int(term(), 0, "one sighting enforces nothing");
	ok(host() && terms.offer && !terms.must_upgrade && terms.may_descend, "no terms");
	at(1);
	accepted('X', ABSENT, "", "changed");
	ok(!clear(false, &enforce) && strstr(why, "spoke XPONY before") != NULL &&
		clear(false, &enforce),
	    "clear text has to wait once, as always, and no longer");
}

static void
test_term(void)
{
	bool enforce;

	begin("term");
	accepted('A', 10 * DAY, "N", "new");
	at(4 * DAY);
	accepted('A', 10 * DAY, "N", "known");
	is_int(term(), 4 * DAY, "known for 4 days: 4 days");
	at(16 * DAY);
	accepted('A', 10 * DAY, "N", "known");
	is_int(term(), 10 * DAY, "known for 16: max-age, 10");
	at(60 * DAY);
	accepted('A', 400 * DAY, "N", "known");
	is_int(term(), MONTH, "known for 60, max-age 400: 30");
	ok(host() && terms.offer && terms.must_upgrade && !terms.may_descend,
	    "the host must upgrade, and does not descend");
	ok(!clear(true, &enforce) && strstr(why, "its commitment runs") != NULL,
	    "no clear text, no STARTTLS");
	accepted('A', ABSENT, "", "known");
	is_int(term(), MONTH, "silence takes nothing back");
	at(90 * DAY - 1);
	refused('X', "its key has changed against its commitment");
	noted_change('A', 'X');
	is_int(term(), 1, "who is refused changes nothing");
	at(90 * DAY);
	ok(host() && !terms.must_upgrade, "then it is over");
	accepted('X', MONTH, "", "changed");
	noted_change('A', 'X');
	is_int(term(), 0, "and the new key starts at age zero");
}

static void
test_taken_back(void)
{
	begin("taken-back");
	accepted('A', MONTH, "N", "new");
	at(20 * DAY);
	accepted('A', MONTH, "N", "known");
	is_int(term(), 20 * DAY, "20 days");
	accepted('A', 5 * DAY, "N", "known");
	is_int(term(), 5 * DAY, "a shorter promise is shorter at once");
	accepted('A', 0, "", "known");
	is_int(term(), 0, "max-age 0 takes it back");
	accepted('X', ABSENT, "", "changed");

	begin("taken-back-by-one");
	accepted('A', MONTH, "BC", "new");
	at(20 * DAY);
	accepted('A', MONTH, "BC", "known");
	accepted('B', 0, "", "announced");
	is_int(term(), 20 * DAY, "each key takes back its own promise");
	accepted('C', ABSENT, "", "announced");
}

/* --- rotation */

static void
test_rotation(void)
{
	begin("rotation");
	accepted('A', MONTH, "", "new");
	at(20 * DAY);
	accepted('A', MONTH, "B", "known");
	is_int(term(), 20 * DAY, "the old key's term");
	at(30 * DAY);
	accepted('B', ABSENT, "", "announced");
	is_str(trust.note, "", "nothing to note");
	is_int(term(), 10 * DAY, "the old key's term still runs");
	accepted('B', ABSENT, "", "known");
	accepted('A', ABSENT, "", "known");
	refused('X', "against its commitment");
	at(33 * DAY);
	accepted('B', MONTH, "C", "known");
	is_int(term(), 7 * DAY, "the new key had given way: its age starts anew");
	at(39 * DAY);
	accepted('B', MONTH, "C", "known");
	is_int(term(), 6 * DAY, "and has grown longer than what is left of the old one's term");
	refused('X', "against its commitment");
	at(41 * DAY);
	refused('A', "against its commitment");
	accepted('C', MONTH, "D", "announced");
	accepted('B', MONTH, "C", "known");
}

/* From the day of the announcement the new key is as good as the old, also for whom its age is
 * zero and the old one's term runs. */
static void
test_announced_age(void)
{
	begin("announced-age");
	accepted('A', MONTH, "B", "new");
	at(20 * DAY);
	accepted('A', MONTH, "B", "known");
	accepted('B', MONTH, "C", "announced");
	is_int(term(), 20 * DAY, "an announced key starts at age zero");
	at(39 * DAY);
	accepted('B', MONTH, "C", "known");
	at(45 * DAY);
	is_int(term(), 39 * DAY + 19 * DAY - 45 * DAY, "its own term is its own age");
}

static void
test_replaced_announcement(void)
{
	begin("replaced");
	accepted('A', MONTH, "B", "new");
	at(10 * DAY);
	accepted('A', MONTH, "C", "known");
	refused('B', "against its commitment");
	accepted('C', ABSENT, "", "announced");
}

static void
test_siblings(void)
{
	begin("siblings");
	accepted('S', MONTH, "T", "new");
	accepted('T', MONTH, "S", "announced");
	at(5 * DAY);
	accepted('T', MONTH, "S", "known");
	is_int(term(), 5 * DAY, "one of two has a term");
	accepted('S', MONTH, "T", "known");
	accepted('T', MONTH, "S", "known");
	refused('X', "against its commitment");
}

/* --- who stood between once */

/* Three machines with keys of their own, met by turns: no key is ever met twice without another
 * in between, so none has an age, and nothing is enforced (FARM.md says what to do instead). */
static void
test_siblings_by_turns(void)
{
	static const char *others[] = {"BC", "AC", "AB"};

	begin("siblings-by-turns");
	for (int day = 0; day < 60; day++) {
		at(day * DAY);
		if (!meet((char)('A' + day % 3), MONTH, others[day % 3]) || term() != 0)
			break;
	}
	is_int(trust.now, START + 59 * DAY, "keys by turns: each is accepted, no term begins");
	begin("one-key-for-all");
	for (int day = 0; day < 60; day++) {
		at(day * DAY);
		(void)meet('A', MONTH, "N");
	}
	is_int(term(), MONTH, "one key: a month is enforced");
}

static void
test_attacker_first(void)
{
	begin("attacker-first");
	accepted('X', MONTH, "YA", "new");
	accepted('A', MONTH, "B", "announced");
	is_int(keys_known(), 2, "the true key's promise forgets the attacker's keys");
	at(3 * DAY);
	accepted('A', MONTH, "B", "known");
	is_int(term(), 3 * DAY, "the true key's commitment runs");
	refused('X', "against its commitment");
	refused('Y', "against its commitment");
	accepted('B', ABSENT, "", "announced");

	begin("attacker-unannounced");
	accepted('X', MONTH, "Y", "new");
	accepted('A', ABSENT, "", "changed");
	noted_change('X', 'A');
	accepted('Y', ABSENT, "", "changed");
	noted_change('A', 'Y');
}

/* Two short interceptions a long time apart, of a host that promises nothing. */
static void
test_two_interceptions(void)
{
	begin("two-interceptions");
	accepted('X', MONTH, "YA", "new");
	accepted('Y', MONTH, "XA", "announced");
	accepted('A', ABSENT, "", "announced");
	at(60 * DAY);
	accepted('X', MONTH, "", "known");
	is_int(term(), 0, "no term from the time between them");
	at(60 * DAY + HOUR);
	accepted('X', MONTH, "", "known");
	is_int(term(), HOUR, "but from the second one's length");
	refused('A', "against its commitment");
	at(60 * DAY + 2 * HOUR);
	accepted('A', ABSENT, "", "changed");
}

static void
test_never_expelled(void)
{
	begin("never-expelled");
	accepted('A', MONTH, "", "new");
	at(20 * DAY);
	accepted('A', MONTH, "BCDEFGHI", "known");
	is_int(keys_known(), PINS_KEYS, "announced keys, as many as there is room for");
	accepted('B', MONTH, "JKLMNOPQ", "announced");
	is_int(keys_known(), PINS_KEYS, "more of them");
	is_int(term(), 20 * DAY, "do not expel a key whose term runs");
	accepted('A', MONTH, "BCDEFGHI", "known");
	refused('J', "against its commitment");
	accepted('H', ABSENT, "", "announced");
}

/* As many keys as there is room for, all with a term: the list is above them. */
static void
test_full(void)
{
	char others[PINS_KEYS];

	begin("full");
	for (char c = 'A'; c < 'A' + PINS_KEYS; c++) {
		uint32_t n = 0;

		for (char o = 'A'; o < 'A' + PINS_KEYS; o++)
			if (o != c)
				others[n++] = o;
		others[n] = '\0';
		ok(meet(c, MONTH, others), "%c is shown", c);
		at((c - 'A' + 1) * HOUR);
		ok(meet(c, MONTH, others), "and again");
	}
	policy("key=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	refused('A', "not one that the policy lists");
	policy("may");
	is_int(keys_known(), PINS_KEYS, "%d keys", PINS_KEYS);
}

/* --- clocks */

static void
test_clocks(void)
{
	begin("clock-back");
	at(100 * DAY);
	accepted('A', MONTH, "", "new");
	at(120 * DAY);
	accepted('A', MONTH, "", "known");
	at(0);
	accepted('A', MONTH, "", "known");
	is_int(term(), 0, "a clock set back: its age starts anew");
	at(DAY);
	accepted('A', MONTH, "", "known");
	is_int(term(), DAY, "and grows");

	begin("clock-forward");
	at(4000 * DAY);
	accepted('A', MONTH, "", "new");
	at(4010 * DAY);
	accepted('A', MONTH, "", "known");
	at(0);
	accepted('X', ABSENT, "", "changed");
	ok(host() && !terms.must_upgrade, "a term from the far future binds nobody");
}

/* --- what stands above commitments */

static void
test_dns(void)
{
	begin("dns");
	accepted('A', MONTH, "", "new");
	at(20 * DAY);
	accepted('A', MONTH, "", "known");
	dns = (struct trust_dns){.known = true, .keys = 1};
	print_of('D', dns.key[0]);
	refused('D', "against its commitment");
	is_int(dns_asked, 0, "not asked when the MX answer was not validated");
	hop.mx_authentic = true;
	accepted('D', MONTH, "", "dns");
	is_int(dns_asked, 1, "asked");
	noted_change('A', 'D');
	is_int(term(), 20 * DAY, "the old key's term still runs");
	refused('X', "against its commitment");
	accepted('D', MONTH, "", "dns");
	accepted('A', MONTH, "", "known");
	dns.known = false;
	refused('D', "against its commitment");
}

static void
test_listed(void)
{
	char words[128];

	begin("listed");
	accepted('A', MONTH, "", "new");
	at(20 * DAY);
	accepted('A', MONTH, "", "known");
	(void)snprintf(words, sizeof(words), "key=%s", text_of('L'));
	policy(words);
	hop.mx_authentic = true;
	dns = (struct trust_dns){.known = true, .keys = 1};
	print_of('A', dns.key[0]);
	accepted('L', MONTH, "", "listed");
	noted_change('A', 'L');
	refused('A', "its key is not one that the policy lists");
	is_int(dns_asked, 0, "DNS is not asked");
	policy("may");
	accepted('A', ABSENT, "", "known");
}

/* --- policy words */

/* What the host must do, as "offer must descend". */
static void
asks(const char *words, const char *wanted)
{
	char got[64] = "turned down";

	policy(words);
	if (host())
		(void)snprintf(got, sizeof(got), "%s%s%s%s", terms.offer ? "offer" : "",
		    terms.must_upgrade ? " must" : "", terms.may_descend ? " descend" : "",
		    terms.suites == SESSION_SUITES_PQ ? " pq" : "");
	is_str(got, wanted, "%s: %s", words, wanted);
}

static void
test_words(void)
{
	bool enforce;

	begin("words");
	accepted('A', ABSENT, "", "new");
	asks("none", " descend");
	ok(clear(false, &enforce) && !enforce, "none: clear");
	asks("may", "offer descend");
	ok(!clear(false, &enforce) && strstr(why, "trying once more") != NULL,
	    "may: a host that spoke XPONY is missed");
	ok(clear(false, &enforce) && !enforce, "once");
	asks("encrypt", "offer descend");
	ok(!clear(false, &enforce) && strstr(why, "neither XPONY nor STARTTLS") != NULL,
	    "encrypt: not clear");
	ok(clear(true, &enforce) && enforce, "encrypt: STARTTLS, enforced");
	accepted('B', ABSENT, "", "changed");
	asks("pinned", "offer must descend");
	ok(!clear(true, &enforce) && strstr(why, "policy demands XPONY") != NULL,
	    "pinned: no STARTTLS");
	refused('A', "policy pinned, and its key has changed");
	noted_change('B', 'A');
	accepted('B', ABSENT, "", "known");
	asks("pq", "offer must pq");
	ok(!clear(true, &enforce), "pq: no STARTTLS");
	ok(!meet_with('B', ABSENT, "", false), "pq: not in a classical suite");
	ok(meet_with('B', ABSENT, "", true), "pq: in the hybrid one");
	asks("pinned pq", "offer must pq");
	asks("verify", "offer must descend");
	ok(!clear(true, &enforce), "verify: no STARTTLS");
	refused('B', "neither validated DNS nor the policy names its key");
	hop.mx_authentic = true;
	dns.temporary = true;
	refused('B', "DNS gives no answer now");
	dns = (struct trust_dns){.known = true, .keys = 2};
	print_of('B', dns.key[1]);
	accepted('B', ABSENT, "", "dns");
	refused('A', "neither validated DNS");
	policy("encrpyt");
	ok(!host() && strstr(why, "encrpyt") != NULL, "a fault in the file: turned down");
	ok(unlink(policy_file) == 0 && host() && terms.offer && !terms.must_upgrade,
	    "no file: may");
}

static void
test_pinned_unknown(void)
{
	begin("pinned-unknown");
	asks("pinned", "turned down");
	ok(strstr(why, "not known for the domain") != NULL, "a host of unknown origin");
	hop.mx_authentic = true;
	asks("pinned", "offer must descend");
	accepted('A', ABSENT, "", "new");
	hop.mx_authentic = false;
	asks("pinned", "offer must descend");
	accepted('A', ABSENT, "", "known");
	(void)snprintf(hop.domain, sizeof(hop.domain), "other-domain.test");
	asks("pinned", "turned down");
}

/* A running commitment and each policy word. */
static void
test_committed_words(void)
{
	bool enforce;

	begin("committed-words");
	accepted('A', MONTH, "", "new");
	at(20 * DAY);
	accepted('A', MONTH, "", "known");
	asks("may", "offer must");
	asks("encrypt", "offer must");
	ok(!clear(true, &enforce), "encrypt: no STARTTLS while it runs");
	asks("pinned", "offer must");
	asks("verify", "offer must");
	asks("none", " descend");
	ok(clear(false, &enforce), "none: the administrator's word is above it");
	trust.rot = true;
	asks("may", "turned down");
	asks("encrypt", "turned down");
	at(50 * DAY);
	asks("may", "offer descend");
	ok(clear(false, &enforce), "ROTn: nothing is missed");
	trust.rot = false;
}

static void
test_memory(void)
{
	bool enforce;

	begin("memory");
	ok(clear(false, &enforce), "a host that never spoke XPONY is not missed");
	accepted('A', ABSENT, "", "new");
	at(29 * DAY);
	ok(!clear(false, &enforce), "missed after 29 days");
	ok(host() && !trust_clear(&trust, &hop, false, &enforce, why),
	    "also by its second address in the same delivery");
	ok(clear(false, &enforce), "once");
	at(30 * DAY);
	accepted('A', ABSENT, "", "known");
	ok(!clear(true, &enforce), "after it came back: once more");
	ok(clear(true, &enforce) && !enforce, "then in clear");
	at(31 * DAY);
	accepted('A', ABSENT, "", "known");
	at(61 * DAY + 1);
	ok(clear(false, &enforce), "forgotten after 30 days");
}

/* --- without a store */

static void
test_no_store(void)
{
	struct pins *pins = trust.pins;
	bool enforce;

	trust.pins = NULL;
	begin("no-store");
	accepted('A', MONTH, "", "new");
	is_str(trust.note, "", "no note: the store's fault was logged when it was opened");
	at(20 * DAY);
	accepted('A', MONTH, "", "new");
	accepted('X', MONTH, "", "new");
	ok(clear(false, &enforce), "nobody is missed");
	asks("pinned", "turned down");
	hop.mx_authentic = true;
	asks("pinned", "turned down");
	ok(strstr(why, "the pins cannot be read") != NULL, "pinned: without a store nothing is");
	asks("verify", "offer must descend");
	dns = (struct trust_dns){.known = true, .keys = 1};
	print_of('A', dns.key[0]);
	accepted('A', ABSENT, "", "dns");
	trust.pins = pins;
}

/* A record that cannot be written is told, and the mail goes. */
static void
test_not_remembered(void)
{
	char name[sizeof(hop.host)];

	begin("not-remembered");
	memcpy(name, hop.host, sizeof(name));
	hop.host[0] = '\0'; /* no name to write it under */
	accepted('A', ABSENT, "", "new");
	ok(strncmp(trust.note, "not remembered: ", 16) == 0, "told: %s", trust.note);
	policy("pinned");
	hop.mx_authentic = true;
	refused('A', "its first key cannot be remembered");
	memcpy(hop.host, name, sizeof(name));
}

static void
clean_up(const char *store)
{
	static const char *const files[] = {"data.mdb", "lock.mdb", "turn"};
	char name[96];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", store, files[i]);
		(void)unlink(name);
	}
	(void)rmdir(store);
	(void)unlink(policy_file);
	(void)rmdir(directory);
}

int
main(void)
{
	char store[64], reason[PINS_REASON_MAX];

	if (sodium_init() < 0 || mkdtemp(directory) == NULL)
		bail("no scratch directory");
	(void)snprintf(policy_file, sizeof(policy_file), "%s/policy", directory);
	(void)snprintf(store, sizeof(store), "%s/pins", directory);
	if (mkdir(store, 0700) != 0)
		bail("%s: %s", store, strerror(errno));
	(void)umask(022);
	trust = (struct trust){.policy_file = policy_file, .dns = play_dns};
	if ((trust.pins = pins_open(store, reason)) == NULL)
		bail("%s", reason);
	test_pins();
	test_one_sighting();
	test_term();
	test_taken_back();
	test_rotation();
	test_announced_age();
	test_replaced_announcement();
	test_siblings();
	test_siblings_by_turns();
	test_attacker_first();
	test_two_interceptions();
	test_never_expelled();
	test_full();
	test_clocks();
	test_dns();
	test_listed();
	test_words();
	test_pinned_unknown();
	test_committed_words();
	test_memory();
	test_no_store();
	test_not_remembered();
	pins_close(trust.pins);
	clean_up(store);
	return tap_done();
}
