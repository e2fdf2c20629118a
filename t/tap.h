/*
 * tap - assertions for C tests, printed as TAP. Included by t/NN-name.c, one file a program.
 *
 *   ok(a == b, "what holds, %s", with)   one test; returns whether it held
 *   is_int(got, want, "name")            the same for numbers, is_str() for texts, is_mem() for
 *   is_mem(p, n, q, m, "name")           octets; they show both values when these differ
 *   diag("100 pairs in %d ms", ms);      a remark
 *   bail("no vectors at %s", path);      the test itself cannot go on: everything stops
 *   return tap_done();                   at the end of main
 *
 * The plan is printed at the end, unless plan(n) stands first: then tap_done() also fails when
 * another number of tests has run. A loop over many octets counts its faults and reports one
 * test.
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	int planned, run, failed;
} tap;

#define ok(holds, ...) tap_ok((holds), __FILE__, __LINE__, __VA_ARGS__)

static inline bool __attribute__((format(printf, 4, 5)))
tap_ok(bool holds, const char *file, int line, const char *name, ...)
{
	va_list args;

	printf("%sok %d - ", holds ? "" : "not ", ++tap.run);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	putchar('\n');
	if (!holds) {
		tap.failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return holds;
}

static inline void __attribute__((format(printf, 1, 2))) diag(const char *remark, ...)
{
	va_list args;

	printf("# ");
	va_start(args, remark);
	vprintf(remark, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static inline void
tap_dump(const char *what, const void *p, size_t n)
{
	printf("# %s (%zu):", what, n);
	for (size_t i = 0; i < n; i++)
		printf(" %02x", ((const uint8_t *)p)[i]);
	putchar('\n');
}

#define is_mem(got, got_len, want, want_len, ...)                                              \
	do {                                                                                   \
		size_t gl_ = (got_len), wl_ = (want_len);                                      \
		if (!ok(gl_ == wl_ && (wl_ == 0 || memcmp((got), (want), wl_) == 0),           \
			__VA_ARGS__)) {                                                        \
			tap_dump("got ", (got), gl_);                                          \
			tap_dump("want", (want), wl_);                                         \
		}                                                                              \
	} while (0)

/* Enums and lengths too. */
#define is_int(got, want, ...)                                                                 \
	do {                                                                                   \
		long long g_ = (long long)(got), w_ = (long long)(want);                       \
		if (!ok(g_ == w_, __VA_ARGS__))                                                \
			diag("got %lld, want %lld", g_, w_);                                   \
	} while (0)

#define is_str(got, want, ...)                                                                 \
	do {                                                                                   \
		const char *g_ = (got), *w_ = (want);                                          \
		if (!ok(strcmp(g_, w_) == 0, __VA_ARGS__))                                     \
			diag("got \"%s\", want \"%s\"", g_, w_);                               \
	} while (0)

static inline void
plan(int n)
{
	tap.planned = n;
	printf("1..%d\n", n);
}

static inline _Noreturn void __attribute__((format(printf, 1, 2))) bail(const char *why, ...)
{
	va_list args;

	printf("Bail out! ");
	va_start(args, why);
	vprintf(why, args);
	va_end(args);
	putchar('\n');
	exit(255);
}

/* For a whole program that cannot run here. */
static inline _Noreturn void
tap_skip_all(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	exit(0);
}

/* main's exit status. No test at all is a failure. */
static inline int
tap_done(void)
{
	if (tap.planned == 0)
		plan(tap.run);
	if (tap.run != tap.planned)
		diag("planned %d tests, ran %d", tap.planned, tap.run);
	return tap.failed == 0 && tap.run > 0 && tap.run == tap.planned ? 0 : 1;
}

#endif
