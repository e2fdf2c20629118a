/* tlv: lists come back as they were put; cut, doubled and empty ones are told apart. */
#include "tap.h"
#include "libxpony/tlv.h"

static void
test_round_trip(void)
{
	uint8_t room[64], seen[32] = {0};
	struct wire_out out = wire_out(room, sizeof room);
	struct tlv item;

	tlv_put(&out, TLV_SERVER_NAME, "mx.example.org", 14);
	tlv_put(&out, TLV_KEM_KEY, "\0\1", 2);
	tlv_put(&out, 0x70, NULL, 0);
	ok(!out.failed, "three items fit");
	is_int(out.used, 3 * 3 + 16, "type and length are three octets");
	is_mem(room, 6, "\x01\x00\x0emx.", 6, "type u8, length u16, value");

	struct wire_in in = wire_in(room, out.used);
	is_int(tlv_next(&in, &item, seen), ERR_NONE, "first item");
	is_int(item.type, TLV_SERVER_NAME, "its type");
	is_mem(item.value, item.len, "mx.example.org", 14, "its value");
	is_int(tlv_next(&in, &item, seen), ERR_NONE, "second item");
	ok((item.type & TLV_CRITICAL) != 0, "is critical");
	is_mem(item.value, item.len, "\0\1", 2, "with its value");
	is_int(tlv_next(&in, &item, seen), ERR_NONE, "third item, of a type unknown");
	is_int(item.len, 0, "empty");
	is_int(tlv_next(&in, &item, seen), ERR_MORE, "the clean end");
	is_int(tlv_next(&in, &item, seen), ERR_MORE, "and again");
}

/* Every cut but those between items is a fault, and stays one. */
static void
test_cut(void)
{
	static const uint8_t list[] = "\x01\x00\x02"
				      "ab"
				      "\x02\x00\x00"
				      "\x04\x00\x01"
				      "c";
	static const size_t whole[] = {0, 5, 8, 12};

	for (size_t n = 0; n < sizeof list; n++) {
		struct wire_in in = wire_in(list, n);
		uint8_t seen[32] = {0};
		struct tlv item;
		enum err e, want = ERR_SYNTAX;

		for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
			if (n == whole[i])
				want = ERR_MORE;
		while ((e = tlv_next(&in, &item, seen)) == ERR_NONE)
			;
		is_int(e, want, "list cut at %zu", n);
		is_int(tlv_next(&in, &item, seen), want, "and again");
	}
}

static void
test_twice(void)
{
	static const uint8_t list[] = "\x01\x00\x00"
				      "\x81\x00\x00"
				      "\x01\x00\x00"
				      "\x05\x00\x00";
	struct wire_in in = wire_in(list, sizeof list - 1);
	uint8_t seen[32] = {0};
	struct tlv item;

	is_int(tlv_next(&in, &item, seen), ERR_NONE, "type 01");
	is_int(tlv_next(&in, &item, seen), ERR_NONE, "type 81 is another one");
	is_int(tlv_next(&in, &item, seen), ERR_SYNTAX, "type 01 again is a fault");
	is_int(tlv_next(&in, &item, seen), ERR_SYNTAX, "and nothing after it is taken");

	unsigned bad = 0;
	for (unsigned t = 0; t < 256; t++) {
		uint8_t two[6] = {(uint8_t)t, 0, 0, (uint8_t)t, 0, 0};
		memset(seen, 0, sizeof seen);
		in = wire_in(two, sizeof two);
		bad += tlv_next(&in, &item, seen) != ERR_NONE;
		bad += tlv_next(&in, &item, seen) != ERR_SYNTAX;
	}
	is_int(bad, 0, "so for every type");
}

static void
test_no_room(void)
{
	static uint8_t value[65536];
	static uint8_t room[70000];
	struct wire_out out = wire_out(room, sizeof room);

	tlv_put(&out, 1, value, 65535);
	ok(!out.failed, "65535 octets are a value");
	out = wire_out(room, sizeof room);
	tlv_put(&out, 2, value, 65536);
	ok(out.failed, "65536 are not, whatever the room");
	out = wire_out(room, 4);
	tlv_put(&out, 1, "ab", 2);
	ok(out.failed, "no room");
}

int
main(void)
{
	test_round_trip();
	test_cut();
	test_twice();
	test_no_room();
	return tap_done();
}
