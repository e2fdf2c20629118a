/* rot: the names, and that every rotation is undone by the rest of the alphabet. */
#include "tap.h"
#include "libxpony/rot.h"

static void
test_names(void)
{
	static const char *const bad[] = {"", "ROT", "ROT0", "ROT26", "ROT99", "ROT013",
	    "ROT01", "rot13", "ROT1x", "ROTx", "ROT-1", "ROT 1", "ROT130", "XROT13", "ROT13 "};

	for (int by = 1; by <= 25; by++) {
		char name[16];
		snprintf(name, sizeof name, "ROT%d", by);
		is_int(rot_parse(name, strlen(name)), by, "%s", name);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		is_int(rot_parse(bad[i], strlen(bad[i])), 0, "no ROTn: \"%s\"", bad[i]);
	is_int(rot_parse("ROT13", 4), 1, "only n characters are read");
}

static void
test_letters(void)
{
	uint8_t text[] = "MAIL FROM:<Pony@xyz.example>\r\n";
	uint8_t all[256];
	unsigned bad = 0;

	rot_letters(text, sizeof text - 1, 13);
	is_str((char *)text, "ZNVY SEBZ:<Cbal@klm.rknzcyr>\r\n", "ROT13 by hand");
	rot_letters(text, sizeof text - 1, 13);
	is_str((char *)text, "MAIL FROM:<Pony@xyz.example>\r\n", "and back");
	rot_letters(text, 4, 1);
	is_str(
	    (char *)text, "NBJM FROM:<Pony@xyz.example>\r\n", "n octets are rotated, no more");

	for (int by = 0; by <= 25; by++) {
		for (unsigned c = 0; c < 256; c++)
			all[c] = (uint8_t)c;
		rot_letters(all, sizeof all, by);
		for (unsigned c = 0; c < 256; c++) {
			bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
			bad += (all[c] == c) != (!letter || by == 0);
		}
		rot_letters(all, sizeof all, (26 - by) % 26);
		for (unsigned c = 0; c < 256; c++)
			bad += all[c] != c;
	}
	is_int(bad, 0, "every rotation moves letters only and is undone");
}

int
main(void)
{
	test_names();
	test_letters();
	return tap_done();
}
