/*
 * sandbox_filter - the system calls that each role may make, by libseccomp. Called by
 * sandbox_linux.c.
 *
 * What is in no list fails with EPERM, as on a machine where it is forbidden. What only an
 * intruder does ends the process (SIGSYS): the monitor says so in the log, and the kernel which
 * call it was (audit, type 1326). The lists are what strace saw, and what the C library may
 * need for the same: t/31-processes runs all of it.
 */
#include "sandbox_system.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROLE(role) (1u << (role))
#define ENGINES (ROLE(SANDBOX_RECEIVER) | ROLE(SANDBOX_MAILER))
#define MONITOR ROLE(SANDBOX_MONITOR)
#define NAMES (ROLE(SANDBOX_LOOKUP) | ROLE(SANDBOX_RESOLVER))
#define LOOKUP ROLE(SANDBOX_LOOKUP)
#define ALL (ENGINES | MONITOR | NAMES)
#define EXECUTABLE SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)
#define NOT_FOR_READING (O_ACCMODE | O_CREAT | O_TRUNC)
#define SOCKET_TYPE 0xf

struct rule {
	unsigned roles;
	int call;
	unsigned conditions; /* that must be met, all of them */
	struct scmp_arg_cmp condition[2];
};

/* Ends the process, whichever its role. A signal to itself is how the C library aborts. */
static const int deadly[] = {SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise), SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal), SCMP_SYS(kill),
    SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(execve),
    SCMP_SYS(execveat), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
    SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(chroot), SCMP_SYS(pivot_root), SCMP_SYS(mount),
    SCMP_SYS(umount2), SCMP_SYS(mount_setattr), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
    SCMP_SYS(fsopen), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(keyctl), SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot),
    SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(open_by_handle_at)};

static const struct rule rules[] = {
    /* The loop: descriptors that are there, a clock, an end. */
    {ALL, SCMP_SYS(read), 0, {{0}}},
    {ALL, SCMP_SYS(write), 0, {{0}}},
    {ALL, SCMP_SYS(close), 0, {{0}}},
    {ALL, SCMP_SYS(poll), 0, {{0}}},
    {ALL, SCMP_SYS(ppoll), 0, {{0}}},
    {ALL, SCMP_SYS(clock_gettime), 0, {{0}}},
    {ALL, SCMP_SYS(restart_syscall), 0, {{0}}},
    {ALL, SCMP_SYS(exit_group), 0, {{0}}},
    {ENGINES | MONITOR, SCMP_SYS(recvmsg), 0, {{0}}},
    {ENGINES | MONITOR, SCMP_SYS(sendmsg), 0, {{0}}},
    {ENGINES, SCMP_SYS(shutdown), 0, {{0}}},
    {ENGINES | NAMES, SCMP_SYS(fcntl), 1, {SCMP_A1(SCMP_CMP_EQ, F_GETFL)}},
    {ENGINES | NAMES, SCMP_SYS(fcntl), 1, {SCMP_A1(SCMP_CMP_EQ, F_SETFL)}},
    {ENGINES, SCMP_SYS(alarm), 0, {{0}}},
    {ENGINES, SCMP_SYS(setitimer), 0, {{0}}}, /* alarm, where there is none */

    /* Memory, nothing of it to be executed; sodium_malloc locks and guards its own. */
    {ALL, SCMP_SYS(brk), 0, {{0}}},
    {ALL, SCMP_SYS(mmap), 1, {EXECUTABLE}},
    {ALL, SCMP_SYS(mprotect), 1, {EXECUTABLE}},
    {ALL, SCMP_SYS(mremap), 0, {{0}}},
    {ALL, SCMP_SYS(munmap), 0, {{0}}},
    {ALL, SCMP_SYS(madvise), 0, {{0}}},
    {ALL, SCMP_SYS(mlock), 0, {{0}}},
    {ALL, SCMP_SYS(munlock), 0, {{0}}},
    {ALL, SCMP_SYS(getrandom), 0, {{0}}},

    {ALL, SCMP_SYS(futex), 0, {{0}}}, /* locks of the C library */

    /* abort(), and getpid() for the log. */
    {ALL, SCMP_SYS(getpid), 0, {{0}}},
    {ALL, SCMP_SYS(gettid), 0, {{0}}},
    {ALL, SCMP_SYS(rt_sigprocmask), 0, {{0}}},

    /* syslog, also after it was started anew; how the engine ended. */
    {MONITOR, SCMP_SYS(socket), 1, {SCMP_A0(SCMP_CMP_EQ, AF_UNIX)}},
    {MONITOR | NAMES, SCMP_SYS(connect), 0, {{0}}},
    {MONITOR | NAMES, SCMP_SYS(sendto), 0, {{0}}},
    {MONITOR, SCMP_SYS(wait4), 0, {{0}}},

    /* Name servers. */
    {NAMES, SCMP_SYS(socket), 2,
	{SCMP_A0(SCMP_CMP_EQ, AF_INET), SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, SOCK_DGRAM)}},
    {NAMES, SCMP_SYS(socket), 2,
	{SCMP_A0(SCMP_CMP_EQ, AF_INET), SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, SOCK_STREAM)}},
    {NAMES, SCMP_SYS(socket), 2,
	{SCMP_A0(SCMP_CMP_EQ, AF_INET6), SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, SOCK_DGRAM)}},
    {NAMES, SCMP_SYS(socket), 2,
	{SCMP_A0(SCMP_CMP_EQ, AF_INET6),
	    SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, SOCK_STREAM)}},
    {NAMES, SCMP_SYS(setsockopt), 0, {{0}}},
    {NAMES, SCMP_SYS(getpeername), 0, {{0}}},
    {NAMES, SCMP_SYS(sendmmsg), 0, {{0}}},
    {NAMES, SCMP_SYS(writev), 0, {{0}}},
    {NAMES, SCMP_SYS(recvfrom), 0, {{0}}},
    {NAMES, SCMP_SYS(recvmsg), 0, {{0}}},
    {NAMES, SCMP_SYS(ioctl), 1, {SCMP_A1(SCMP_CMP_EQ, FIONREAD)}},
    {NAMES, SCMP_SYS(uname), 0, {{0}}},

    /* /etc/hosts, nsswitch.conf, resolv.conf. */
    {LOOKUP, SCMP_SYS(openat), 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, NOT_FOR_READING, O_RDONLY)}},
    {LOOKUP, SCMP_SYS(newfstatat), 0, {{0}}},
    {LOOKUP, SCMP_SYS(fstat), 0, {{0}}},
    {LOOKUP, SCMP_SYS(lseek), 0, {{0}}},
};

static int
add_deadly(scmp_filter_ctx filter)
{
	const unsigned long self = (unsigned long)getpid();
	size_t i;
	int fault = 0;

	for (i = 0; fault == 0 && i < sizeof(deadly) / sizeof(deadly[0]); i++)
		fault = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	if (fault == 0)
		fault = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(tgkill), 1,
		    SCMP_A0(SCMP_CMP_NE, self));
	if (fault == 0)
		fault = seccomp_rule_add(
		    filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, self));
	return fault;
}

static int
add_rules(scmp_filter_ctx filter, enum sandbox_role role)
{
	const struct rule *r;
	int fault = 0;

	for (r = rules; fault == 0 && r < rules + sizeof(rules) / sizeof(rules[0]); r++)
		if ((r->roles & ROLE(role)) != 0)
			fault = seccomp_rule_add_array(
			    filter, SCMP_ACT_ALLOW, r->call, r->conditions, r->condition);
	return fault;
}

bool
sandbox_filter(enum sandbox_role role)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int fault;

	if (filter == NULL) {
		errno = ENOMEM;
		return false;
	}
	/* Calls by another of the machine's numberings (32 bits) are nobody's here. */
	fault = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (fault == 0)
		fault = add_deadly(filter);
	if (fault == 0)
		fault = add_rules(filter, role);
	if (fault == 0)
		fault = seccomp_load(filter);
	seccomp_release(filter);
	errno = -fault;
	return fault == 0;
}
