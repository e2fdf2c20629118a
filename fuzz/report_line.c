/*
 * report_line - a line of a log file, in which strangers chose the values (report/line.h).
 *
 * Input: how a line begins, so that there is a way past the head; then the rest of it.
 */
#include "fuzz/fuzz.h"

#include "report/line.h"

static const char *const heads[] = {
    "",
    "Nov 21 23:00:01 mail blackpony-mailer[1]: ",
    "2026-11-21T23:00:01.123456+01:00 mail blackpony-receiver[1]: ",
    "Nov 21 23:00:01 mail blackpony-mailer[1]: suite=none, messages=1, ",
};

static void
check_span(struct span s, const char *text, size_t n)
{
	if (s.p == NULL) {
		HOLDS(s.n == 0);
		return;
	}
	HOLDS(s.p >= text && s.p <= text + n && s.n <= (size_t)(text + n - s.p));
	for (size_t i = 0; i < s.n; i++)
		HOLDS(s.p[i] >= ' ' && s.p[i] <= '~');
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const char *head = heads[input_u8(&in) % (sizeof heads / sizeof heads[0])];
	const size_t begin = strlen(head), whole = begin + in.left;
	char *text = malloc(whole + (whole == 0));
	struct line l;

	fuzz_start();
	HOLDS(text != NULL);
	memcpy(text, head, begin);
	if (in.left > 0)
		memcpy(text + begin, in.p, in.left);
	switch (line_parse(&l, text, whole)) {
	case LINE_SESSION:
		HOLDS(l.field[LINE_SUITE].n > 0 && l.field[LINE_MESSAGES].n > 0);
		HOLDS(l.words.n == 0 && l.messages < 1000000000);
		break;
	case LINE_EVENT:
	case LINE_STEP:
		HOLDS(l.words.n > 0);
		break;
	case LINE_FOREIGN:
	case LINE_UNCLEAR:
		break;
	}
	if (l.kind != LINE_FOREIGN)
		HOLDS(l.time.month >= 1 && l.time.month <= 12 && l.time.day >= 1 &&
		      l.time.day <= 31 && l.time.hour < 24 && l.time.minute < 60);
	for (int i = 0; i < LINE_FIELDS && l.kind != LINE_FOREIGN; i++)
		check_span(l.field[i], text, whole);
	free(text);
	return 0;
}
