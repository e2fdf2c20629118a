/*
 * 32-filter - the system call filter of each role (lib/sandbox_filter.c), run here as the
 * kernel runs it: for every number of a call, beside what it should say. The lists below are
 * written anew, so that a call which is let through by mistake is seen.
 */
#include "lib/sandbox_system.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS 1024
#define FORBIDDEN (SECCOMP_RET_ERRNO | EPERM)

static const char *const role_name[SANDBOX_ROLES] = {[SANDBOX_RECEIVER] = "receiver's engine",
    [SANDBOX_MAILER] = "mailer's engine",
    [SANDBOX_MONITOR] = "monitor",
    [SANDBOX_LOOKUP] = "name look-up",
    [SANDBOX_RESOLVER] = "resolver",
    [SANDBOX_KEEPER] = "keeper"};

/* Free for everybody, whatever the arguments. */
static const int for_all[] = {SYS_read, SYS_write, SYS_close,
#ifdef SYS_poll
    SYS_poll,
#endif
    SYS_ppoll, SYS_clock_gettime, SYS_restart_syscall, SYS_exit_group, SYS_brk, SYS_mremap,
    SYS_munmap, SYS_madvise, SYS_mlock, SYS_munlock, SYS_getrandom, SYS_futex, SYS_getpid,
    SYS_gettid, SYS_rt_sigprocmask, SYS_recvmsg, -1};
static const int for_engines[] = {SYS_sendmsg, SYS_shutdown, SYS_setitimer,
#ifdef SYS_alarm
    SYS_alarm,
#endif
    -1};
static const int for_monitor[] = {
    SYS_sendmsg, SYS_connect, SYS_sendto, SYS_wait4, SYS_getsockname, -1};
static const int for_resolver[] = {SYS_connect, SYS_sendto, SYS_setsockopt, SYS_getpeername,
    SYS_sendmmsg, SYS_writev, SYS_recvfrom, SYS_uname, -1};
static const int for_keeper[] = {SYS_sendmsg, SYS_accept4, SYS_getsockopt, -1};
static const int for_lookup[] = {SYS_newfstatat, SYS_fstat, SYS_lseek, -1};
/* By their arguments. */
static const int conditional[] = {
    SYS_mmap, SYS_mprotect, SYS_fcntl, SYS_socket, SYS_ioctl, SYS_openat, SYS_tgkill, -1};
static const int deadly[] = {SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_process_madvise, SYS_kcmp, SYS_pidfd_open, SYS_pidfd_getfd, SYS_pidfd_send_signal,
    SYS_kill, SYS_tkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_execve, SYS_execveat,
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter,
    SYS_io_uring_register, SYS_unshare, SYS_setns, SYS_chroot, SYS_pivot_root, SYS_mount,
    SYS_umount2, SYS_mount_setattr, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsmount,
    SYS_fspick, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_init_module, SYS_finit_module,
    SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_reboot, SYS_swapon, SYS_swapoff,
    SYS_open_by_handle_at, -1};

static struct sandbox_program program;
static uint32_t machine;

/* What the kernel does with the instructions that the filter is made of (its documentation,
 * networking/filter). Whatever leaves the program, or is another one, counts as a kill by the
 * thread. */
static uint32_t
run(const struct seccomp_data *d)
{
	const struct sock_filter *f = program.code, *end = f + program.n;
	uint32_t a = 0;

	for (; f < end; f++)
		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)d + f->k, sizeof(a));
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			f += a == f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			f += a >= f->k ? f->jt : f->jf;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			return SECCOMP_RET_KILL_THREAD;
		}
	return SECCOMP_RET_KILL_THREAD;
}

static uint32_t
ask(int call, uint64_t first, uint64_t second, uint64_t third)
{
	struct seccomp_data d = {
	    .nr = call, .arch = machine, .args = {first, second, third, UINT64_MAX}};

	return run(&d);
}

static bool
has(const int *list, int call)
{
	for (; *list >= 0; list++)
		if (*list == call)
			return true;
	return false;
}

static bool
is_free(enum sandbox_role role, int call)
{
	switch (role) {
	case SANDBOX_RECEIVER:
	case SANDBOX_MAILER:
		return has(for_all, call) || has(for_engines, call);
	case SANDBOX_MONITOR:
		return has(for_all, call) || has(for_monitor, call);
	case SANDBOX_LOOKUP:
		return has(for_all, call) || has(for_resolver, call) || has(for_lookup, call);
	case SANDBOX_RESOLVER:
		return has(for_all, call) || has(for_resolver, call);
	case SANDBOX_KEEPER:
		return has(for_all, call) || has(for_keeper, call);
	default:
		return false;
	}
}

/* Every number, with arguments that meet no condition. */
static void
test_numbers(enum sandbox_role role)
{
	unsigned wrong = 0, wanted;
	int call;

	for (call = 0; call < CALLS; call++) {
		if (has(conditional, call))
			continue;
		wanted = is_free(role, call) ? SECCOMP_RET_ALLOW
			 : has(deadly, call) ? SECCOMP_RET_KILL_PROCESS
					     : FORBIDDEN;
		if (ask(call, UINT64_MAX, UINT64_MAX, UINT64_MAX) == wanted &&
		    ask(call, 0, 0, 0) == wanted)
			continue;
		wrong++;
		diag("call %d: %#x, not %#x", call, ask(call, 0, 0, 0), wanted);
	}
	ok(wrong == 0, "%s: every call but those by their arguments", role_name[role]);
}

static void
test_other_numberings(enum sandbox_role role)
{
	struct seccomp_data d = {.arch = machine ^ 1};
	unsigned wrong = 0;

	for (d.nr = 0; d.nr < CALLS; d.nr++)
		wrong += run(&d) != SECCOMP_RET_KILL_PROCESS;
	ok(wrong == 0, "%s: calls by another machine's numbers end it", role_name[role]);
#ifdef __x86_64__
	d.arch = machine;
	for (wrong = 0, d.nr = 0x40000000; d.nr < 0x40000000 + CALLS; d.nr++)
		wrong += run(&d) != SECCOMP_RET_KILL_PROCESS;
	ok(wrong == 0, "%s: and by those of x32", role_name[role]);
#endif
}

/* The high half of an argument counts where a whole argument is compared. */
#define HIGH (UINT64_C(1) << 32)

static void
test_memory(enum sandbox_role role)
{
	static const int calls[] = {SYS_mmap, SYS_mprotect};

	for (size_t i = 0; i < 2; i++) {
		ok(ask(calls[i], 0, 0, PROT_READ | PROT_WRITE) == SECCOMP_RET_ALLOW &&
			ask(calls[i], 0, 0, PROT_NONE) == SECCOMP_RET_ALLOW,
		    "%s: memory to write (%d)", role_name[role], calls[i]);
		ok(ask(calls[i], 0, 0, PROT_EXEC) == FORBIDDEN &&
			ask(calls[i], 0, 0, PROT_READ | PROT_EXEC) == FORBIDDEN,
		    "%s: none to execute (%d)", role_name[role], calls[i]);
	}
}

static void
test_signals(enum sandbox_role role)
{
	const uint64_t self = (uint64_t)getpid();

	ok(ask(SYS_tgkill, self, self, 6) == SECCOMP_RET_ALLOW, "%s: a signal to itself",
	    role_name[role]);
	ok(ask(SYS_tgkill, self + 1, self, 6) == SECCOMP_RET_KILL_PROCESS &&
		ask(SYS_tgkill, self + HIGH, self, 6) == SECCOMP_RET_KILL_PROCESS,
	    "%s: to no other", role_name[role]);
}

static void
test_descriptors(enum sandbox_role role)
{
	const bool may = role != SANDBOX_MONITOR && role != SANDBOX_KEEPER;

	ok(ask(SYS_fcntl, 0, F_GETFL, 0) == (may ? SECCOMP_RET_ALLOW : FORBIDDEN) &&
		ask(SYS_fcntl, 0, F_SETFL, 0) == (may ? SECCOMP_RET_ALLOW : FORBIDDEN),
	    "%s: fcntl for a descriptor's flags: %s", role_name[role], may ? "yes" : "no");
	ok(ask(SYS_fcntl, 0, F_DUPFD, 0) == FORBIDDEN &&
		ask(SYS_fcntl, 0, F_SETOWN, 0) == FORBIDDEN &&
		ask(SYS_fcntl, 0, F_GETFL + HIGH, 0) == FORBIDDEN,
	    "%s: for nothing else", role_name[role]);
	ok(ask(SYS_openat, 0, 0, O_RDONLY | O_CLOEXEC) ==
		(role == SANDBOX_LOOKUP ? SECCOMP_RET_ALLOW : FORBIDDEN),
	    "%s: files to read: %s", role_name[role], role == SANDBOX_LOOKUP ? "yes" : "no");
	ok(ask(SYS_openat, 0, 0, O_WRONLY) == FORBIDDEN &&
		ask(SYS_openat, 0, 0, O_RDWR) == FORBIDDEN &&
		ask(SYS_openat, 0, 0, O_RDONLY | O_CREAT) == FORBIDDEN &&
		ask(SYS_openat, 0, 0, O_RDONLY | O_TRUNC) == FORBIDDEN,
	    "%s: none to write", role_name[role]);
}

static void
test_sockets(enum sandbox_role role)
{
	const bool names = role == SANDBOX_LOOKUP || role == SANDBOX_RESOLVER;
	const uint32_t net = names ? SECCOMP_RET_ALLOW : FORBIDDEN;

	ok(ask(SYS_socket, AF_UNIX, SOCK_DGRAM, 0) ==
		(role == SANDBOX_MONITOR ? SECCOMP_RET_ALLOW : FORBIDDEN),
	    "%s: a local socket: %s", role_name[role], role == SANDBOX_MONITOR ? "yes" : "no");
	ok(ask(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) == net &&
		ask(SYS_socket, AF_INET, SOCK_STREAM, 0) == net &&
		ask(SYS_socket, AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0) == net &&
		ask(SYS_socket, AF_INET6, SOCK_STREAM, 0) == net,
	    "%s: the Internet: %s", role_name[role], names ? "yes" : "no");
	ok(ask(SYS_socket, AF_INET, SOCK_RAW, 0) == FORBIDDEN &&
		ask(SYS_socket, AF_INET6, SOCK_RAW, 0) == FORBIDDEN &&
		ask(SYS_socket, AF_NETLINK, SOCK_RAW, 0) == FORBIDDEN &&
		ask(SYS_socket, AF_PACKET, SOCK_DGRAM, 0) == FORBIDDEN &&
		ask(SYS_socket, AF_INET + HIGH, SOCK_DGRAM, 0) == FORBIDDEN,
	    "%s: no other socket", role_name[role]);
	ok(ask(SYS_ioctl, 0, FIONREAD, 0) == net && ask(SYS_ioctl, 0, TIOCSTI, 0) == FORBIDDEN,
	    "%s: ioctl", role_name[role]);
}

int
main(void)
{
	/* The first comparison is that of the machine. */
	sandbox_program(&program, SANDBOX_RECEIVER);
	machine = program.code[1].k;
	for (enum sandbox_role role = SANDBOX_RECEIVER; role < SANDBOX_ROLES; role++) {
		sandbox_program(&program, role);
		test_numbers(role);
		test_other_numberings(role);
		test_memory(role);
		test_signals(role);
		test_descriptors(role);
		test_sockets(role);
	}
	return tap_done();
}
