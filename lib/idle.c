/*
 * idle - see idle.h.
 */
#include "lib/idle.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __GLIBC__
#	include <malloc.h>
#endif

enum {
	STACK = 131072,      /* as deep as anything here goes, and more */
	STACK_IN_USE = 4096, /* below this frame: the calls that follow */
};

/* Nothing depends on it, so a refusal is none. */
static void
drop(uintptr_t begin, uintptr_t end)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	begin = (begin + page - 1) / page * page;
	end = end / page * page;
	if (begin < end)
		(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

void
idle_give_back(void *unused, size_t n)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	drop((uintptr_t)unused, (uintptr_t)unused + n);
	drop(here - STACK_IN_USE - STACK, here - STACK_IN_USE);
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}
