/*
 * record: flights come back whole and octet by octet; padding; every octet flipped, every order
 * changed is refused; close, rekey and the last record of a direction.
 */
#include <sodium.h>
#include "tap.h"
#include "libxpony/record.h"

#define ROOM (512 * 1024)

/* Two ends with the same keys: what a's tx seals b's rx opens, and the other way round. */
static struct record a, b;
static struct buf wire, plain;
static uint8_t mail[300000];

static void
fresh(void)
{
	memset(&a, 0, sizeof a);
	memset(a.tx.cipher.key, 1, NOISE_KEY);
	memset(a.rx.cipher.key, 2, NOISE_KEY);
	a.tx.cipher.keyed = a.rx.cipher.keyed = true;
	b = (struct record){.tx = a.rx, .rx = a.tx};
	buf_clear(&wire);
	buf_clear(&plain);
}

/* As if n records had gone by in this direction. The rekeyings before them are left out on both
 * sides. */
static void
set_count(uint64_t n)
{
	a.tx.count = a.tx.cipher.n = b.rx.count = b.rx.cipher.n = n;
}

/* Opens all that waits; the last verdict. */
static enum err
open_all(struct record_half *rx, struct buf *in, size_t *records, enum record_type *type)
{
	enum err e;

	*records = 0;
	while ((e = record_open(rx, in, &plain, type)) == ERR_NONE)
		++*records;
	return e;
}

static bool
plain_is(const uint8_t *p, size_t n)
{
	return buf_len(&plain) == n && (n == 0 || memcmp(buf_head(&plain), p, n) == 0);
}

static void
test_padding(void)
{
	unsigned low = 0, wide = 0, idle = 0;

	is_int(record_padded(0), 256, "the floor, for nothing");
	is_int(record_padded(1), 256, "for one octet");
	is_int(record_padded(256), 256, "for 256");
	is_int(record_padded(257), 272, "Padme from 257 on: E = 8, S = 4");
	is_int(record_padded(1000), 1024, "E = 9, S = 4, steps of 32");
	is_int(record_padded(1025), 1088, "E = 10, S = 4, steps of 64");
	is_int(record_padded(65537), 67584, "E = 16, S = 5, steps of 2048");
	for (size_t n = 0, last = 0; n < 1200000; n++) {
		size_t p = record_padded(n);
		low += p < n || p < 256 || p < last;
		wide += n > 256 && (p - n) * 100 > n * 12;
		idle += record_padded(p) != p;
		last = p;
	}
	is_int(low, 0, "never less than the data, the floor or a shorter flight's");
	is_int(wide, 0, "at most 12 per cent more");
	is_int(idle, 0, "a padded length is padded already");
}

static void
test_lengths(void)
{
	static const size_t sizes[] = {1, 2, 255, 256, 257, 1000, RECORD_DATA_MAX - 1,
	    RECORD_DATA_MAX, RECORD_DATA_MAX + 1, 65536, 100000, sizeof mail};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t n = sizes[i], records;
		enum record_type type = RECORD_CLOSE;

		fresh();
		is_int(record_seal(&a.tx, &wire, mail, n), ERR_NONE,
		    "a flight of %zu is sealed", n);
		is_int(buf_len(&wire), record_flight_max(n), "of the length foretold");
		size_t padded = record_padded(n);
		size_t want = (padded + RECORD_DATA_MAX - 1) / RECORD_DATA_MAX;
		is_int(
		    buf_len(&wire), padded + want * 21, "which tells the padded length only");
		is_int(open_all(&b.rx, &wire, &records, &type), ERR_MORE, "it is opened");
		ok(plain_is(mail, n), "to the same octets");
		is_int(records, want, "in %zu records", want);
		ok(type == RECORD_DATA && buf_len(&wire) == 0, "of data, nothing left over");
		ok(a.tx.count == want && b.rx.count == want, "counted on both sides");
	}
}

/* The last flight: its data, then the end, in as many records as any flight of that length. */
static void
test_last_flight(void)
{
	static const struct {
		size_t n, padded, records;
	} cases[] = {{0, 6, 1}, {5, 6, 1}, {6, 6, 1}, {7, 256, 1}, {256, 256, 1}, {257, 272, 1},
	    {RECORD_DATA_MAX - 1, RECORD_DATA_MAX + 3, 2},
	    {RECORD_DATA_MAX, RECORD_DATA_MAX + 3, 2}, {65536, 65536, 3}, {100000, 100352, 4}};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const size_t n = cases[i].n;
		enum record_type type = RECORD_CLOSE;
		bool early = false;
		size_t records;

		fresh();
		is_int(record_seal_close(&a.tx, &wire, mail, n), ERR_NONE, "the last %zu", n);
		is_int(buf_len(&wire), cases[i].padded + cases[i].records * 21,
		    "are padded to %zu", cases[i].padded);
		for (records = 0; record_open(&b.rx, &wire, &plain, &type) == ERR_NONE;
		     records++)
			early |= (type == RECORD_CLOSE) != (records + 1 == cases[i].records);
		is_int(records, cases[i].records, "in %zu records", records);
		ok(!early && b.rx.closed, "of which the last, and no other, is the close");
		ok(plain_is(mail, n) && buf_len(&wire) == 0, "all of the data comes out");
	}
}

/* Octet by octet: no verdict before a record is whole, then the same as in one piece. */
static void
test_byte_by_byte(void)
{
	struct buf one;
	unsigned early = 0, records = 0;

	fresh();
	buf_init(&one, RECORD_WIRE_MAX);
	record_seal(&a.tx, &wire, mail, 40000);
	record_seal(&a.tx, &wire, mail + 40000, 10);
	record_seal_close(&a.tx, &wire, mail + 40010, 5);
	for (size_t i = 0; i < buf_len(&wire); i++) {
		enum record_type type;
		buf_put(&one, buf_head(&wire) + i, 1);
		enum err e = record_open(&b.rx, &one, &plain, &type);
		early += e != ERR_MORE && e != ERR_NONE;
		early += e == ERR_NONE && buf_len(&one) != 0;
		records += e == ERR_NONE;
	}
	is_int(early, 0, "octet by octet there is no fault");
	is_int(records, 4, "four records");
	ok(plain_is(mail, 40015) && b.rx.closed, "all the data, then the end");
	buf_free(&one);
}

/* Both directions, in turns. */
static void
test_dialogue(void)
{
	unsigned bad = 0;
	enum record_type type;

	fresh();
	for (unsigned i = 0; i < 100; i++) {
		struct record *from = i % 2 ? &b : &a, *to = i % 2 ? &a : &b;
		bad += record_seal(&from->tx, &wire, mail + i, 50 + i) != ERR_NONE;
		bad += record_open(&to->rx, &wire, &plain, &type) != ERR_NONE;
		bad += !plain_is(mail + i, 50 + i);
		buf_clear(&plain);
	}
	is_int(bad, 0, "a hundred turns");
}

/* Every octet of a flight, the length fields included, flipped in each of its bits. */
static void
test_flips(bool last)
{
	uint8_t sealed[300 + 64];
	enum record_type type;
	unsigned passed = 0, leaked = 0;
	const size_t n = 280;

	fresh();
	if (last)
		record_seal_close(&a.tx, &wire, mail, 6);
	else
		record_seal(&a.tx, &wire, mail, n);
	size_t len = buf_len(&wire);
	if (len > sizeof sealed)
		bail("a flight of %zu octets", len);
	memcpy(sealed, buf_head(&wire), len);
	for (size_t at = 0; at < len; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			fresh();
			sealed[at] ^= (uint8_t)(1u << bit);
			buf_put(&wire, sealed, len);
			sealed[at] ^= (uint8_t)(1u << bit);
			enum err e = record_open(&b.rx, &wire, &plain, &type);
			/* A greater length only waits for what never comes: truncation, to the
			 * caller. */
			passed += at < 2 ? e == ERR_NONE : e != ERR_CRYPTO;
			/* And nothing that follows mends it. */
			buf_put(&wire, mail, 70000);
			passed += record_open(&b.rx, &wire, &plain, &type) != ERR_CRYPTO;
			leaked += buf_len(&plain) != 0 || b.rx.closed;
		}
	is_int(passed, 0, "no flipped bit of a %s passes", last ? "close" : "flight");
	is_int(leaked, 0, "nothing of a bad record comes out");
	fresh();
	buf_put(&wire, sealed, len);
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_NONE, "as it was, it does");
}

static void
test_order(void)
{
	uint8_t first[512], second[512];
	size_t n, records;
	enum record_type type;

	fresh();
	record_seal(&a.tx, &wire, mail, 100);
	n = buf_len(&wire);
	memcpy(first, buf_head(&wire), n);
	buf_clear(&wire);
	record_seal(&a.tx, &wire, mail + 100, 100);
	memcpy(second, buf_head(&wire), n);

	struct record_half start = b.rx;
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_CRYPTO, "the second record first");
	b.rx = start;
	buf_clear(&wire);
	buf_put(&wire, first, n);
	buf_put(&wire, first, n);
	is_int(open_all(&b.rx, &wire, &records, &type), ERR_CRYPTO, "the first record twice");
	is_int(records, 1, "passes once");
	b.rx = start;
	buf_clear(&wire);
	buf_put(&wire, first, n);
	is_int(record_open(&a.rx, &wire, &plain, &type), ERR_CRYPTO,
	    "a record sent back to its sender");
	buf_clear(&wire);
	buf_clear(&plain);
	buf_put(&wire, first, n);
	buf_put(&wire, second, n);
	is_int(open_all(&b.rx, &wire, &records, &type), ERR_MORE, "in order");
	ok(records == 2 && plain_is(mail, 200), "both pass");
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_MORE, "and then: more, no close");
	ok(!b.rx.closed, "an end here is truncation");
}

/* A record cut anywhere is not opened, and gives nothing. */
static void
test_truncation(size_t data)
{
	uint8_t sealed[512];
	enum record_type type;
	unsigned bad = 0;

	fresh();
	record_seal_close(&a.tx, &wire, mail, data);
	size_t len = buf_len(&wire);
	memcpy(sealed, buf_head(&wire), len);
	for (size_t n = 0; n < len; n++) {
		buf_clear(&wire);
		buf_put(&wire, sealed, n);
		bad += record_open(&b.rx, &wire, &plain, &type) != ERR_MORE;
		bad += buf_len(&wire) != n || b.rx.closed || b.rx.count != 0;
	}
	is_int(bad, 0, "a close with %zu octets cut anywhere is no close", data);
	is_int(buf_len(&plain), 0, "and gives none of them");
}

static void
test_close(void)
{
	enum record_type type = RECORD_DATA;

	fresh();
	is_int(record_seal(&a.tx, &wire, mail, 0), ERR_NONE, "nothing seals as nothing");
	is_int(buf_len(&wire), 0, "no record");
	is_int(record_seal_close(&a.tx, &wire, mail, 0), ERR_NONE, "close");
	is_int(buf_len(&wire), 27, "is as long as one with QUIT");
	is_int(record_seal(&a.tx, &wire, mail, 1), ERR_SEQUENCE, "no data after it");
	is_int(record_seal(&a.tx, &wire, mail, 0), ERR_SEQUENCE, "not even none");
	is_int(record_seal_close(&a.tx, &wire, mail, 0), ERR_SEQUENCE, "nor another close");
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_NONE, "the close is opened");
	ok(type == RECORD_CLOSE && b.rx.closed && buf_len(&plain) == 0, "and it is one");
	is_int(
	    record_open(&b.rx, &wire, &plain, &type), ERR_MORE, "silence after it is no fault");
	buf_put(&wire, "", 1);
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_CRYPTO, "one octet is");

	/* A record that is good but for its place: sealed by a sender who forgets that he
	 * closed. */
	fresh();
	record_seal_close(&a.tx, &wire, mail, 0);
	a.tx.closed = false;
	record_seal(&a.tx, &wire, mail, 1);
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_NONE, "close");
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_CRYPTO, "a good record after it");
	ok(record_seal(&b.tx, &wire, mail, 1) == ERR_NONE, "the other direction is open still");
}

/* The inside as a peer with the keys, but without manners, would fill it. */
static enum err
open_inside(const void *inside, size_t n)
{
	uint8_t sealed[2 + 512];
	enum record_type type;

	fresh();
	sealed[0] = (uint8_t)((n + NOISE_TAG) >> 8);
	sealed[1] = (uint8_t)((n + NOISE_TAG) & 0xff);
	noise_cipher_seal(&a.tx.cipher, sealed + 2, inside, n);
	buf_put(&wire, sealed, 2 + n + NOISE_TAG);
	enum err e = record_open(&b.rx, &wire, &plain, &type);
	if (e != ERR_NONE && record_open(&b.rx, &wire, &plain, &type) != ERR_CRYPTO)
		bail("a bad record was forgotten");
	return e;
}

static void
test_inside(void)
{
	is_int(open_inside("\0\0\2hi\0\0\0", 8), ERR_NONE, "data and padding");
	ok(plain_is((const uint8_t *)"hi", 2), "the data is what comes out");
	is_int(open_inside("\0\0\0", 3), ERR_NONE, "an empty record is one");
	is_int(open_inside("\0\0\2hi", 5), ERR_NONE, "so is one without padding");
	is_int(open_inside("\1\0\0\0\0", 5), ERR_NONE, "a close");
	is_int(open_inside("\1\0\2hi\0", 6), ERR_NONE, "a close with data");
	ok(plain_is((const uint8_t *)"hi", 2) && b.rx.closed, "which come out before the end");
	is_int(open_inside("\2\0\0\0\0", 5), ERR_CRYPTO, "an unknown type");
	is_int(open_inside("\xff\0\2hi\0", 6), ERR_CRYPTO, "another one");
	is_int(open_inside("\0\0\2hi\0\0\1", 8), ERR_CRYPTO,
	    "padding that is not zero, at its end");
	is_int(open_inside("\0\0\2hi\1\0\0", 8), ERR_CRYPTO, "or its beginning");
	is_int(open_inside("\1\0\0\0\7", 5), ERR_CRYPTO, "or in a close");
	is_int(open_inside("\1\0\2h", 4), ERR_CRYPTO, "a close that lacks data");
	is_int(open_inside("\0\0\3hi", 5), ERR_CRYPTO, "data longer than the record");
	is_int(open_inside("\0\xff\xffhi", 5), ERR_CRYPTO, "much longer");
	ok(buf_len(&plain) == 0, "and nothing of them comes out");
	is_int(open_inside("\0\0", 2), ERR_CRYPTO, "no room for a header");
	is_int(open_inside("", 0), ERR_CRYPTO, "an empty inside");
}

static void
test_bounds(void)
{
	static const struct {
		uint16_t len;
		enum err want;
	} cases[] = {{0, ERR_CRYPTO}, {16, ERR_CRYPTO}, {18, ERR_CRYPTO}, {19, ERR_MORE},
	    {RECORD_INNER_MAX + NOISE_TAG, ERR_MORE},
	    {RECORD_INNER_MAX + NOISE_TAG + 1, ERR_CRYPTO}, {65535, ERR_CRYPTO}};
	enum record_type type;
	struct buf small;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t field[2] = {
		    (uint8_t)(cases[i].len >> 8), (uint8_t)(cases[i].len & 0xff)};
		fresh();
		buf_put(&wire, field, 2);
		is_int(record_open(&b.rx, &wire, &plain, &type), cases[i].want,
		    "a length of %u is judged when it is there", cases[i].len);
	}

	fresh();
	buf_init(&small, record_flight_max(10) + 10);
	is_int(record_seal(&a.tx, &small, mail, sizeof mail), ERR_LIMIT,
	    "a flight without room for it");
	is_int(record_seal(&a.tx, &small, mail, SIZE_MAX), ERR_LIMIT, "nor for a huge one");
	ok(buf_len(&small) == 0 && a.tx.count == 0, "nothing is sealed of them");
	is_int(record_seal(&a.tx, &small, mail, 10), ERR_NONE, "one with just room enough");
	is_int(record_seal_close(&a.tx, &small, mail, 0), ERR_LIMIT, "no room for the close");
	ok(!a.tx.closed, "so it is not closed");
	buf_free(&small);

	fresh();
	buf_init(&small, RECORD_DATA_MAX);
	record_seal(&a.tx, &wire, mail, 10);
	buf_put(&small, "x", 1);
	is_int(record_open(&b.rx, &wire, &small, &type), ERR_LIMIT,
	    "no room for what may come out");
	buf_clear(&small);
	is_int(record_open(&b.rx, &wire, &small, &type), ERR_NONE, "drained and called again");
	is_mem(buf_head(&small), buf_len(&small), mail, 10, "it is all there");
	buf_free(&small);
}

static void
test_rekey(void)
{
	uint8_t first_key[NOISE_KEY], key[NOISE_KEY];
	unsigned bad = 0, early = 0;
	enum record_type type;

	fresh();
	memcpy(first_key, a.tx.cipher.key, NOISE_KEY);
	for (unsigned i = 0; i < 65536; i++) {
		buf_clear(&plain);
		bad += record_seal(&a.tx, &wire, mail + i % 1000, 3) != ERR_NONE;
		bad += record_open(&b.rx, &wire, &plain, &type) != ERR_NONE;
		bad += !plain_is(mail + i % 1000, 3);
		early += memcmp(a.tx.cipher.key, first_key, NOISE_KEY) != 0;
	}
	is_int(bad, 0, "65536 records pass");
	is_int(early, 0, "under the first key");
	struct noise_cipher want = a.tx.cipher;
	noise_cipher_rekey(&want);
	record_seal(&a.tx, &wire, mail, 3);
	is_mem(a.tx.cipher.key, NOISE_KEY, want.key, NOISE_KEY, "record 2^16 has the next key");
	ok(a.tx.cipher.n == 65537, "n is not reset");
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_NONE, "the reader follows");
	memcpy(key, a.tx.cipher.key, NOISE_KEY);
	record_seal(&a.tx, &wire, mail, 3);
	is_mem(a.tx.cipher.key, NOISE_KEY, key, NOISE_KEY, "record 2^16 + 1 has the same");
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_NONE, "and passes");

	set_count(2 * 65536 - 1);
	record_seal(&a.tx, &wire, mail, 3);
	is_mem(a.tx.cipher.key, NOISE_KEY, key, NOISE_KEY, "the last record before 2 * 2^16");
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_NONE, "passes");
	buf_clear(&plain);
	record_seal(&a.tx, &wire, mail, 3 * RECORD_DATA_MAX);
	ok(memcmp(a.tx.cipher.key, key, NOISE_KEY) != 0,
	    "a flight begins with 2 * 2^16: third key");
	set_count(3 * 65536 - 2);
	fresh();
	set_count(3 * 65536 - 2);
	record_seal(&a.tx, &wire, mail, 3 * RECORD_DATA_MAX);
	size_t records;
	is_int(open_all(&b.rx, &wire, &records, &type), ERR_MORE, "a flight across 3 * 2^16");
	ok(plain_is(mail, 3 * RECORD_DATA_MAX), "comes out whole");
	ok(records > 2 && memcmp(a.tx.cipher.key, first_key, NOISE_KEY) != 0,
	    "its key changed within");

	fresh();
	set_count(65536);
	b.rx.count = 65535; /* a reader that does not rekey in time */
	record_seal(&a.tx, &wire, mail, 3);
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_CRYPTO,
	    "the old key opens nothing new");
}

static void
test_used_up(void)
{
	const uint64_t max = UINT64_C(1) << 32;
	enum record_type type;

	fresh();
	set_count(max - 3);
	is_int(record_seal(&a.tx, &wire, mail, 2 * RECORD_DATA_MAX), ERR_LIMIT,
	    "a flight of three does not begin where two may go");
	ok(buf_len(&wire) == 0 && a.tx.count == max - 3, "nothing of it is sealed");
	is_int(record_seal(&a.tx, &wire, mail, 1), ERR_NONE, "record 2^32 - 3");
	is_int(record_seal(&a.tx, &wire, mail, 1), ERR_NONE, "record 2^32 - 2");
	is_int(record_seal(&a.tx, &wire, mail, 1), ERR_LIMIT, "the last one is the close's");
	is_int(record_seal_close(&a.tx, &wire, mail, 0), ERR_NONE, "which has it");
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_NONE, "the reader takes them");
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_NONE, "both");
	is_int(record_open(&b.rx, &wire, &plain, &type), ERR_NONE, "and the close");
	ok(b.rx.closed && b.rx.count == max, "2^32 records");

	fresh();
	set_count(max);
	is_int(record_seal(&a.tx, &wire, mail, 1), ERR_LIMIT, "no record 2^32");
	is_int(record_seal_close(&a.tx, &wire, mail, 0), ERR_LIMIT, "not even a close");
	a.tx.count = 65536; /* a sender who rekeys as is due, but does not count */
	record_seal(&a.tx, &wire, mail, 1);
	is_int(
	    record_open(&b.rx, &wire, &plain, &type), ERR_CRYPTO, "the reader refuses it too");
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	for (size_t i = 0; i < sizeof mail; i++)
		mail[i] = (uint8_t)(i * 7 + i / 251 + 1);
	buf_init(&wire, ROOM);
	buf_init(&plain, ROOM);
	test_padding();
	test_lengths();
	test_last_flight();
	test_byte_by_byte();
	test_dialogue();
	test_flips(false);
	test_flips(true);
	test_order();
	test_truncation(0);
	test_truncation(6);
	test_truncation(43);
	test_close();
	test_inside();
	test_bounds();
	test_rekey();
	test_used_up();
	buf_free(&wire);
	buf_free(&plain);
	return tap_done();
}
