/* wire: fields go out and come back big-endian, and nothing passes the end. */
#include "tap.h"
#include "libxpony/wire.h"

static void
test_round_trip(void)
{
	uint8_t room[8];
	struct wire_out out = wire_out(room, sizeof room);

	wire_put_u8(&out, 0xab);
	wire_put_u16(&out, 0x1234);
	wire_put_bytes(&out, "hello", 5);
	ok(!out.failed, "eight octets fit into eight");
	is_mem(room, out.used, "\xab\x12\x34hello", 8, "big-endian on the wire");

	struct wire_in in = wire_in(room, out.used);
	is_int(wire_get_u8(&in), 0xab, "u8 comes back");
	is_int(wire_get_u16(&in), 0x1234, "u16 comes back");
	ok(wire_get_bytes(&in, 5) == room + 3, "bytes are inside the caller's memory");
	ok(!in.failed && in.left == 0, "all was read");
}

static void
test_read_past_end(void)
{
	struct wire_in in = wire_in("\x01\x02\x03", 3);

	is_int(wire_get_u16(&in), 0x0102, "u16 of three octets");
	is_int(wire_get_u16(&in), 0, "a u16 of one octet is 0");
	ok(in.failed, "and the reader failed");
	is_int(wire_get_u8(&in), 0, "it stays failed though an octet is left");
	ok(wire_get_bytes(&in, 0) == NULL, "also for no octets");

	in = wire_in("abc", 3);
	ok(wire_get_bytes(&in, SIZE_MAX) == NULL && in.failed, "a huge length does not wrap");
	in = wire_in("abc", 3);
	ok(wire_get_bytes(&in, 3) != NULL && !in.failed, "the last octet can be read");
	ok(wire_get_bytes(&in, 0) != NULL && !in.failed, "no octets at the end are no fault");
	in = wire_in(NULL, 0);
	is_int(wire_get_u8(&in), 0, "nothing in nothing");
	ok(in.failed, "and that is a fault");
}

static void
test_write_past_end(void)
{
	uint8_t room[4] = {9, 9, 9, 9};
	struct wire_out out = wire_out(room, 3);

	wire_put_u16(&out, 0x0102);
	wire_put_u16(&out, 0x0304);
	ok(out.failed && out.used == 2, "a u16 does not fit into one octet");
	wire_put_u8(&out, 5);
	ok(out.failed && out.used == 2, "and nothing more is written, though it would fit");
	is_mem(room, 4, "\x01\x02\x09\x09", 4, "the rest of the room is untouched");

	out = wire_out(room, 3);
	wire_put_bytes(&out, room, SIZE_MAX);
	ok(out.failed && out.used == 0, "a huge length does not wrap");
	out = wire_out(room, 0);
	wire_put_bytes(&out, NULL, 0);
	ok(!out.failed, "no octets fit into no room");
}

int
main(void)
{
	test_round_trip();
	test_read_past_end();
	test_write_past_end();
	return tap_done();
}
