/*
 * tap - assertions for C tests, printed as TAP. Included by t/NN-name.c, one file a program.
 *
 *   ok(a == b, "what holds, %s", with)   one test; returns whether it held
 *   diag("100 pairs in %d ms", ms);      a remark
 *   return tap_done();                   at the end of main
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_run, tap_bad;

#define ok(holds, ...) tap_ok((holds), __FILE__, __LINE__, __VA_ARGS__)

static inline bool __attribute__((format(printf, 4, 5)))
tap_ok(bool holds, const char *file, int line, const char *name, ...)
{
	va_list args;

	printf("%sok %d - ", holds ? "" : "not ", ++tap_run);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	putchar('\n');
	if (!holds) {
		tap_bad++;
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

/* For a whole program that cannot run here. */
static inline _Noreturn void
tap_skip_all(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	exit(0);
}

static inline int
tap_done(void)
{
	printf("1..%d\n", tap_run);
	return tap_bad == 0 ? 0 : 1;
}

#endif
