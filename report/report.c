/*
 * report - see report.h; called by the printers.
 */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

const char *const report_side[SIDES] = {[SIDE_SENT] = "sent", [SIDE_RECEIVED] = "received"};
const char *const report_way[WAYS] = {
    [WAY_HYBRID] = "XPONY, hybrid",
    [WAY_CLASSICAL] = "XPONY, classical",
    [WAY_STARTTLS] = "STARTTLS",
    [WAY_CLEAR] = "in clear",
};

const char *
report_date(int date, char text[16])
{
	(void)snprintf(
	    text, 16, "%04d-%02d-%02d", date / 10000 % 10000, date / 100 % 100, date % 100);
	return text;
}

const char *
report_time(int64_t when, char text[24])
{
	char day[16];

	(void)snprintf(text, 24, "%sT%02d:%02d", report_date((int)(when / 10000), day),
	    (int)(when / 100 % 100), (int)(when % 100));
	return text;
}

const char *
report_sentence(const struct counts *c, enum side side, char text[128])
{
	const uint64_t all = counts_messages(c);
	const uint64_t encrypted = all - c->messages[WAY_CLEAR];

	if (all == 0)
		(void)snprintf(text, 128, "No mail %s.", report_side[side]);
	else
		(void)snprintf(text, 128, "%llu of %llu messages %s were encrypted: %d%%.",
		    (unsigned long long)encrypted, (unsigned long long)all, report_side[side],
		    counts_percent(c));
	return text;
}

int
report_bar(const struct counts *c, int ways, int width, uint64_t most)
{
	uint64_t sum = 0;

	for (int i = 0; i < ways; i++)
		sum += c->messages[i];
	return most > 0 ? (int)((double)sum * width / (double)most + 0.5) : 0;
}

void
report_reason(struct report_reason *r, const struct entry *e)
{
	char *tab;

	(void)snprintf(r->what, sizeof(r->what), "%s", e->name);
	tab = strchr(r->what, '\t');
	r->reason = "";
	if (tab != NULL) {
		*tab = '\0';
		r->reason = tab + 1;
	}
}

const char *
report_policy_line(const struct hint *h, char text[REPORT_TEXT_MAX])
{
	(void)snprintf(text, REPORT_TEXT_MAX, "%-24s %s", h->destination->name, h->words);
	return text;
}
