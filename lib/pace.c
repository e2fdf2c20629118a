/*
 * pace - see pace.h.
 */
#include "pace.h"

bool
pace_begin(struct pace *p, const struct session *s, int64_t now)
{
	const uint64_t progress = session_progress(s);
	const char *phase = session_phase(s);
	bool renewed;

	p->since = now;
	p->patience = (int64_t)session_patience(s) * 1000;
	if (p->patience == 0)
		p->spent = 0;
	renewed = p->deadline == 0 || progress != p->progress || phase != p->phase;
	if (renewed) {
		p->progress = progress;
		p->phase = phase;
		p->deadline = now + (int64_t)session_timeout(s) * 1000;
	}
	return renewed;
}

int64_t
pace_left(const struct pace *p, int64_t now)
{
	int64_t left = p->deadline - now;

	if (p->patience > 0 && p->patience - p->spent < left)
		left = p->patience - p->spent;
	return left > 0 ? left : 0;
}

bool
pace_end(struct pace *p, int64_t now)
{
	if (p->patience > 0)
		p->spent += now - p->since;
	p->since = now;
	if (now < p->deadline && (p->patience == 0 || p->spent < p->patience))
		return true;
	p->deadline = p->spent = 0;
	return false;
}

void
pace_octets(struct pace *p, size_t n)
{
	const int64_t bought = (int64_t)n * 1000 / PACE_RATE;

	p->spent = p->spent > bought ? p->spent - bought : 0;
}
