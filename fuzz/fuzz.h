/*
 * fuzz - what the targets share. Each program of fuzz/ is one target: LLVMFuzzerTestOneInput()
 * takes octets that a stranger may have sent and holds a parser to what its header promises.
 * `make fuzz` links the targets with libFuzzer, `make check` with replay.c, which gives them
 * the files of fuzz/corpus/NAME.
 *
 * What a target has to decide it draws from the front of its input; the rest is the parser's.
 * So a few octets steer, and a text stays a text. When the input is used up zeroes are drawn.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_KEY 32

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What must be true whatever the input is. */
#define HOLDS(condition)                                                                       \
	do {                                                                                   \
		if (!(condition))                                                              \
			fuzz_broken(#condition, __FILE__, __LINE__);                           \
	} while (0)

static inline _Noreturn void
fuzz_broken(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

struct input {
	const uint8_t *p;
	size_t left;
};

static inline const uint8_t *
input_take(struct input *in, size_t n)
{
	const uint8_t *p = in->p;

	HOLDS(n <= in->left);
	if (n > 0)
		in->p += n;
	in->left -= n;
	return p;
}

static inline uint8_t
input_u8(struct input *in)
{
	return in->left > 0 ? *input_take(in, 1) : 0;
}

static inline uint16_t
input_u16(struct input *in)
{
	uint8_t high = input_u8(in);

	return (uint16_t)(high << 8 | input_u8(in));
}

/* A number up to most. */
static inline size_t
input_size(struct input *in, size_t most)
{
	return input_u16(in) % (most + 1);
}

/* A length, and that many octets of what is left, or fewer. */
static inline const uint8_t *
input_octets(struct input *in, size_t *n)
{
	*n = input_u16(in);
	if (*n > in->left)
		*n = in->left;
	return input_take(in, *n);
}

/* The same as a text of at most cap - 1 octets: it ends at a NUL, too. */
static inline void
input_text(struct input *in, char *text, size_t cap)
{
	size_t n = input_u8(in);

	if (n > in->left)
		n = in->left;
	if (n > cap - 1)
		n = cap - 1;
	if (n > 0)
		memcpy(text, input_take(in, n), n);
	text[n] = '\0';
}

/* Changes octets of p[0..n): each change is an offset, what to do, and with what. n may shrink,
 * or grow up to cap. */
static inline size_t
input_edit(struct input *in, uint8_t *p, size_t n, size_t cap)
{
	while (in->left > 0) {
		const uint8_t how = input_u8(in);
		const size_t at = input_size(in, n);
		const uint8_t with = input_u8(in);

		if (how % 8 == 0) {
			n = at;
		} else if (how % 8 == 1 && n < cap) {
			memmove(p + at + 1, p + at, n - at);
			p[at] = with;
			n++;
		} else if (how % 8 == 2 && at < n) {
			memmove(p + at, p + at + 1, n - at - 1);
			n--;
		} else if (how % 8 == 3 && at < n) {
			p[at] = (uint8_t)(p[at] ^ 1u << with % 8);
		} else if (at < n) {
			p[at] = with;
		}
	}
	return n;
}

/* The lines in the opposite order, in new memory of n + 2 octets with a NUL at its end. */
static inline char *
fuzz_reverse_lines(const char *text, size_t n)
{
	char *to = calloc(1, n + 2);
	size_t at = n + (n > 0 && text[n - 1] != '\n'), start = 0, line;

	HOLDS(to != NULL);
	while (start < n) {
		const char *stop = memchr(text + start, '\n', n - start);

		line = stop != NULL ? (size_t)(stop - text) - start : n - start;
		at -= line + 1;
		memcpy(to + at, text + start, line);
		to[at + line] = '\n';
		start += line + 1;
	}
	return to;
}

/* Is text one line that may stand in a log? */
static inline bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

/* fuzz.c. Call fuzz_start() first in each run: what is drawn as random is then the same each
 * time, everywhere in this process. */
void fuzz_start(void);
void fuzz_random(void *p, size_t n);
/* A key pair: the same for the same seed. */
void fuzz_pair(uint8_t secret[FUZZ_KEY], uint8_t public[FUZZ_KEY], uint8_t seed);

#endif
