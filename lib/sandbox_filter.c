/*
 * sandbox_filter - the system calls that each role may make, as a program that the kernel runs
 * at each of them (seccomp(2)). Called by sandbox_linux.c.
 *
 * What is in no list fails with EPERM, as on a machine where it is forbidden. What only an
 * intruder does ends the process (SIGSYS): the monitor says so in the log, and the kernel which
 * call it was (audit, type 1326). The lists are what strace saw, and what the C library may
 * need for the same: t/31-processes runs all of it.
 *
 * The program is put together here and not by libseccomp: that is one library less to load in
 * each process, and takes some microseconds. t/32-filter runs it, call by call, beside what it
 * should say.
 */
#include "sandbox_system.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__ && !defined __ILP32__
#	define MACHINE AUDIT_ARCH_X86_64
#	define X32_CALLS 0x40000000 /* that numbering has this bit */
#elif defined __aarch64__ && __BYTE_ORDER == __LITTLE_ENDIAN
#	define MACHINE AUDIT_ARCH_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#	define MACHINE AUDIT_ARCH_RISCV64
#elif defined __powerpc64__ && __BYTE_ORDER == __LITTLE_ENDIAN
#	define MACHINE AUDIT_ARCH_PPC64LE
#elif defined __s390x__
#	define MACHINE AUDIT_ARCH_S390X
#else
#	error "no filter is known for this machine; configure with --without-seccomp"
#endif

#define ROLE(role) (1u << (role))
#define ENGINES (ROLE(SANDBOX_RECEIVER) | ROLE(SANDBOX_MAILER))
#define MONITOR ROLE(SANDBOX_MONITOR)
#define NAMES (ROLE(SANDBOX_LOOKUP) | ROLE(SANDBOX_RESOLVER))
#define LOOKUP ROLE(SANDBOX_LOOKUP)
#define KEEPER ROLE(SANDBOX_KEEPER)
#define ALL (ENGINES | MONITOR | NAMES | KEEPER)
#define NOT_FOR_READING (O_ACCMODE | O_CREAT | O_TRUNC)
#define SOCKET_TYPE 0xf

/* What an argument of a call must be. All of its 64 bits are compared, or those of a mask. */
enum comparison { ANYTHING, EQUAL, MASKED };
struct condition {
	enum comparison comparison;
	unsigned argument;
	uint32_t mask, value;
};
#define FREELY ANYTHING, 0, 0, 0
#define IS(argument, value) EQUAL, argument, UINT32_MAX, value
#define AMONG(argument, mask, value) MASKED, argument, mask, value
#define NOT_EXECUTABLE AMONG(2, PROT_EXEC, 0)

struct rule {
	unsigned roles;
	unsigned call;
	struct condition condition[2]; /* all of them */
};

/* Ends the process, whichever its role. A signal to itself is how the C library aborts. */
static const unsigned deadly[] = {SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_process_madvise, SYS_kcmp, SYS_pidfd_open, SYS_pidfd_getfd, SYS_pidfd_send_signal,
    SYS_kill, SYS_tkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_execve, SYS_execveat,
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter,
    SYS_io_uring_register, SYS_unshare, SYS_setns, SYS_chroot, SYS_pivot_root, SYS_mount,
    SYS_umount2, SYS_mount_setattr, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsmount,
    SYS_fspick, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_init_module, SYS_finit_module,
    SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_reboot, SYS_swapon, SYS_swapoff,
    SYS_open_by_handle_at};

static const struct rule rules[] = {
    /* The loop: descriptors that are there, a clock, an end. */
    {ALL, SYS_read, {{FREELY}}},
    {ALL, SYS_write, {{FREELY}}},
    {ALL, SYS_close, {{FREELY}}},
#ifdef SYS_poll
    {ALL, SYS_poll, {{FREELY}}},
#endif
    {ALL, SYS_ppoll, {{FREELY}}},
    {ALL, SYS_clock_gettime, {{FREELY}}},
    {ALL, SYS_restart_syscall, {{FREELY}}},
    {ALL, SYS_exit_group, {{FREELY}}},
    {ENGINES | MONITOR | KEEPER, SYS_recvmsg, {{FREELY}}},
    {ENGINES | MONITOR | KEEPER, SYS_sendmsg, {{FREELY}}},
    {ENGINES, SYS_shutdown, {{FREELY}}},
    {ENGINES | NAMES, SYS_fcntl, {{IS(1, F_GETFL)}}},
    {ENGINES | NAMES, SYS_fcntl, {{IS(1, F_SETFL)}}},
#ifdef SYS_alarm
    {ENGINES, SYS_alarm, {{FREELY}}},
#endif
    {ENGINES, SYS_setitimer, {{FREELY}}}, /* alarm, where there is none */

    /* Memory, nothing of it to be executed; sodium_malloc locks and guards its own. */
    {ALL, SYS_brk, {{FREELY}}},
    {ALL, SYS_mmap, {{NOT_EXECUTABLE}}},
    {ALL, SYS_mprotect, {{NOT_EXECUTABLE}}},
    {ALL, SYS_mremap, {{FREELY}}},
    {ALL, SYS_munmap, {{FREELY}}},
    {ALL, SYS_madvise, {{FREELY}}},
    {ALL, SYS_mlock, {{FREELY}}},
    {ALL, SYS_munlock, {{FREELY}}},
    {ALL, SYS_getrandom, {{FREELY}}},

    {ALL, SYS_futex, {{FREELY}}}, /* locks of the C library */

    /* abort(), and getpid() for the log. */
    {ALL, SYS_getpid, {{FREELY}}},
    {ALL, SYS_gettid, {{FREELY}}},
    {ALL, SYS_rt_sigprocmask, {{FREELY}}},

    /* syslog, also after it was started anew; how the engine ended. */
    {MONITOR, SYS_socket, {{IS(0, AF_UNIX)}}},
    {MONITOR | NAMES, SYS_connect, {{FREELY}}},
    {MONITOR | NAMES, SYS_sendto, {{FREELY}}},
    {MONITOR, SYS_wait4, {{FREELY}}},

    /* Where a connection comes from (receiver/remote.c). */
    {MONITOR, SYS_getsockname, {{FREELY}}},

    /* Who calls, on a socket that is there. */
    {KEEPER, SYS_accept4, {{FREELY}}},
    {KEEPER, SYS_getsockopt, {{FREELY}}},

    /* Name servers. */
    {NAMES, SYS_socket, {{IS(0, AF_INET)}, {AMONG(1, SOCKET_TYPE, SOCK_DGRAM)}}},
    {NAMES, SYS_socket, {{IS(0, AF_INET)}, {AMONG(1, SOCKET_TYPE, SOCK_STREAM)}}},
    {NAMES, SYS_socket, {{IS(0, AF_INET6)}, {AMONG(1, SOCKET_TYPE, SOCK_DGRAM)}}},
    {NAMES, SYS_socket, {{IS(0, AF_INET6)}, {AMONG(1, SOCKET_TYPE, SOCK_STREAM)}}},
    {NAMES, SYS_setsockopt, {{FREELY}}},
    {NAMES, SYS_getpeername, {{FREELY}}},
    {NAMES, SYS_sendmmsg, {{FREELY}}},
    {NAMES, SYS_writev, {{FREELY}}},
    {NAMES, SYS_recvfrom, {{FREELY}}},
    {NAMES, SYS_recvmsg, {{FREELY}}},
    {NAMES, SYS_ioctl, {{IS(1, FIONREAD)}}},
    {NAMES, SYS_uname, {{FREELY}}},

    /* /etc/hosts, nsswitch.conf, resolv.conf. */
    {LOOKUP, SYS_openat, {{AMONG(2, NOT_FOR_READING, O_RDONLY)}}},
    {LOOKUP, SYS_newfstatat, {{FREELY}}},
    {LOOKUP, SYS_fstat, {{FREELY}}},
    {LOOKUP, SYS_lseek, {{FREELY}}},
};

enum {
	RULES = sizeof(rules) / sizeof(rules[0]),
	DEADLY = sizeof(deadly) / sizeof(deadly[0]),
	BATCH = 10, /* that are looked at one after the other */
};

/* Where a jump goes whose place is not known yet. No jump is as long: SANDBOX_PROGRAM_MAX. */
enum label { TO_NEXT_RULE = 253, TO_ALLOW, TO_KILL };

static void
put(struct sandbox_program *p, unsigned code, uint32_t k, unsigned if_true, unsigned if_false)
{
	if (p->n == SANDBOX_PROGRAM_MAX)
		abort();
	p->code[p->n++] =
	    (struct sock_filter){(uint16_t)code, (uint8_t)if_true, (uint8_t)if_false, k};
}

static void
load(struct sandbox_program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
compare(struct sandbox_program *p, uint32_t value, unsigned if_true, unsigned if_false)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, value, if_true, if_false);
}

static void
judge(struct sandbox_program *p, uint32_t action)
{
	put(p, BPF_RET | BPF_K, action, 0, 0);
}

/* From the instruction `first` on, all jumps to the label lead to what is put next. */
static void
place(struct sandbox_program *p, size_t first, enum label label)
{
	struct sock_filter *f;

	for (f = p->code + first; f < p->code + p->n; f++) {
		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		if (f->jt == label)
			f->jt = (uint8_t)(p->code + p->n - f - 1);
		if (f->jf == label)
			f->jf = (uint8_t)(p->code + p->n - f - 1);
	}
}

static void
demand(struct sandbox_program *p, const struct condition *c)
{
	const size_t argument =
	    offsetof(struct seccomp_data, args) + c->argument * sizeof(uint64_t);
	const size_t low = __BYTE_ORDER == __LITTLE_ENDIAN ? 0 : sizeof(uint32_t);

	if (c->comparison == ANYTHING)
		return;
	if (c->comparison == EQUAL) {
		load(p, argument + sizeof(uint32_t) - low);
		compare(p, 0, 0, TO_NEXT_RULE);
	}
	load(p, argument + low);
	if (c->comparison == MASKED)
		put(p, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
	compare(p, c->value, 0, TO_NEXT_RULE);
}

/* The call's number is loaded, before and behind it. */
static void
allow(struct sandbox_program *p, unsigned call, const struct condition condition[2])
{
	const size_t first = p->n;

	compare(p, call, 0, TO_NEXT_RULE);
	demand(p, &condition[0]);
	demand(p, &condition[1]);
	p->code[p->n - 1].jt = TO_ALLOW;
	place(p, first, TO_NEXT_RULE);
	if (p->n > first + 1)
		load(p, offsetof(struct seccomp_data, nr));
}

/* What is said of one call: it may be made on these conditions, or ends the process. */
struct verdict {
	unsigned call;
	const struct condition *condition; /* two; NULL: the end */
};

/* By their numbers; of one call in the order in which they are put in. */
static void
insert(struct verdict *v, size_t *n, unsigned call, const struct condition *condition)
{
	size_t i = (*n)++;

	for (; i > 0 && v[i - 1].call > call; i--)
		v[i] = v[i - 1];
	v[i] = (struct verdict){call, condition};
}

static void
judge_each(struct sandbox_program *p, const struct verdict *v, size_t n)
{
	for (; n > 0; v++, n--)
		if (v->condition != NULL)
			allow(p, v->call, v->condition);
		else
			compare(p, v->call, TO_KILL, 0);
	judge(p, SECCOMP_RET_ERRNO | EPERM);
}

/* In batches, of which all but one are passed over, for the kernel runs the program for each
 * number that there is when it takes it: one after the other that was 0.1 ms. */
static void
judge_in_batches(struct sandbox_program *p, const struct verdict *v, size_t n)
{
	size_t batch;

	for (; n > 0; v += batch, n -= batch) {
		for (batch = n < BATCH ? n : BATCH; batch < n; batch++)
			if (v[batch].call != v[batch - 1].call)
				break;
		const size_t jump = p->n;

		if (batch < n)
			put(p, BPF_JMP | BPF_JGE | BPF_K, v[batch].call, 0, 0);
		judge_each(p, v, batch);
		if (batch < n)
			p->code[jump].jt = (uint8_t)(p->n - jump - 1);
	}
}

void
sandbox_program(struct sandbox_program *p, enum sandbox_role role)
{
	const struct condition to_itself[2] = {{IS(0, (uint32_t)getpid())}};
	struct verdict v[RULES + DEADLY + 2];
	size_t n = 0, i;

	for (i = 0; i < RULES; i++)
		if ((rules[i].roles & ROLE(role)) != 0)
			insert(v, &n, rules[i].call, rules[i].condition);
	for (i = 0; i < DEADLY; i++)
		insert(v, &n, deadly[i], NULL);
	insert(v, &n, SYS_tgkill, to_itself);
	insert(v, &n, SYS_tgkill, NULL);
	p->n = 0;
	/* Calls by another of the machine's numberings (32 bits) are nobody's here. */
	load(p, offsetof(struct seccomp_data, arch));
	compare(p, MACHINE, 0, TO_KILL);
	load(p, offsetof(struct seccomp_data, nr));
#ifdef X32_CALLS
	put(p, BPF_JMP | BPF_JGE | BPF_K, X32_CALLS, TO_KILL, 0);
#endif
	judge_in_batches(p, v, n);
	place(p, 0, TO_KILL);
	judge(p, SECCOMP_RET_KILL_PROCESS);
	place(p, 0, TO_ALLOW);
	judge(p, SECCOMP_RET_ALLOW);
}

bool
sandbox_filter(enum sandbox_role role)
{
	struct sandbox_program p;
	struct sock_fprog program = {.filter = p.code};

	sandbox_program(&p, role);
	program.len = (unsigned short)p.n;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}
