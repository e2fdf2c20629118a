/*
 * mailhost: one host of the test world.  Called by t/lib/world.sh.
 *
 *	mailhost [-t] [-i INIT] [-r ROOT] FQDN DIR [BIND ...]
 *
 * Makes a process in network, UTS, mount, PID and IPC namespaces of its own, whose root is the
 * machine's root, or the tree ROOT, seen through an overlay: whatever the host writes stays in
 *a tmpfs of its own.  Each BIND directory is the machine's, live, at its own path.  Prints the
 *host's process id, which is all that nsenter(1) needs, and then is that host's init and
 *syslog: it collects orphans and appends what arrives at /dev/log to /var/log/mail.log.  With
 *-i it becomes INIT, systemd, in a control group of its own. With -t each line of the log
 *begins with the seconds of its arrival, by the machine's clock.
 *
 * The host ends when its init ends, and init ends when the shell that started it ends, however
 * that came about.  The kernel then takes the processes, mounts and interfaces with it.
 */
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct host {
	const char *fqdn;
	const char *where; /* a directory for its root to be mounted on */
	const char *root;  /* what that shows */
	const char *init;  /* a program; NULL: this one */
	bool stamps;       /* in the log */
	char group[32];    /* with init: the control group, below ... */
	int groups;
};

static void
mnt(const char *from, const char *to, const char *type, unsigned long flags, const char *data)
{
	if (mount(from, to, type, flags, data) != 0)
		err(3, "mount %s on %s", from, to);
}

static void
dir(const char *path, mode_t mode)
{
	if ((mkdir(path, mode) != 0 && errno != EEXIST) || chmod(path, mode) != 0)
		err(3, "mkdir %s", path);
}

static void
device(const char *path, unsigned int major, unsigned int minor)
{
	if (mknod(path, S_IFCHR | 0666, makedev(major, minor)) != 0)
		err(3, "mknod %s", path);
}

/* Makes path, which starts with a slash, below the current directory, and binds it there. */
static void
bind_directory(const char *path)
{
	char below[4096];
	int n = snprintf(below, sizeof below, ".%s", path);

	if (path[0] != '/' || n < 0 || (size_t)n >= sizeof below)
		errx(3, "cannot bind %s", path);
	for (char *p = below + 2; (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		if (mkdir(below, 0755) != 0 && errno != EEXIST)
			err(3, "mkdir %s", below);
	}
	if (mkdir(below, 0755) != 0 && errno != EEXIST)
		err(3, "mkdir %s", below);
	mnt(path, below, NULL, MS_BIND | MS_REC, NULL);
}

/* The overlay hides no directory of the machine but these, which every host starts empty. Of a
 * tree of the host's own only the last two. */
static void
empty_directories(const struct host *host)
{
	static const struct {
		const char *path;
		mode_t mode;
	} empty[] = {
	    {"./etc/mail", 0755},
	    {"./var/mail", 03777},
	    {"./var/spool", 0755},
	    {"./var/log", 0755},
	    {"./home", 0755},
	    {"./run", 0755},
	    {"./tmp", 01777},
	};
	const size_t n = sizeof empty / sizeof empty[0];

	for (size_t i = strcmp(host->root, "/") == 0 ? 0 : n - 2; i < n; i++) {
		dir(empty[i].path, empty[i].mode);
		mnt("tmpfs", empty[i].path, "tmpfs", 0, NULL);
		dir(empty[i].path, empty[i].mode);
	}
}

static void
make_devices(void)
{
	mnt("tmpfs", "./dev", "tmpfs", MS_NOEXEC, "mode=755");
	umask(0);
	device("./dev/null", 1, 3);
	device("./dev/zero", 1, 5);
	device("./dev/full", 1, 7);
	device("./dev/random", 1, 8);
	device("./dev/urandom", 1, 9);
	device("./dev/tty", 5, 0);
	umask(022);
	dir("./dev/shm", 01777);
	dir("./dev/pts", 0755);
	mnt("devpts", "./dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620");
	if (symlink("/proc/self/fd", "./dev/fd") != 0 || symlink("pts/ptmx", "./dev/ptmx") != 0)
		err(3, "symlink in /dev");
}

/*
 * sendmail queues instead of delivering, and refuses connections, when the machine is busy.
 * These hosts are idle, whatever else the machine does; a test may write another load there.
 */
static void
pretend_idle(void)
{
	static const char idle[] = "0.00 0.00 0.00 1/1 1\n";
	int fd = open("./run/loadavg", O_WRONLY | O_CREAT, 0644);

	if (fd < 0 || write(fd, idle, sizeof idle - 1) < 0)
		err(3, "/run/loadavg");
	close(fd);
	mnt("./run/loadavg", "./proc/loadavg", NULL, MS_BIND, NULL);
}

static void
make_root(const struct host *host, char **binds)
{
	char layers[4096];

	mnt("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mnt("tmpfs", host->where, "tmpfs", 0, "mode=755");
	if (chdir(host->where) != 0)
		err(3, "%s", host->where);
	dir("upper", 0755);
	dir("work", 0755);
	dir("root", 0755);
	(void)snprintf(
	    layers, sizeof layers, "lowerdir=%s,upperdir=upper,workdir=work", host->root);
	mnt("overlay", "root", "overlay", 0, layers);
	if (chdir("root") != 0)
		err(3, "%s/root", host->where);
	empty_directories(host);
	for (; *binds != NULL; binds++)
		bind_directory(*binds);
	mnt("proc", "./proc", "proc", 0, NULL);
	/* The kernel's settings are the machine's: no init of a host shall change them. */
	mnt("./proc/sys", "./proc/sys", NULL, MS_BIND, NULL);
	mnt(NULL, "./proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	mnt("sysfs", "./sys", "sysfs", MS_RDONLY, NULL);
	if (host->init != NULL)
		mnt("cgroup2", "./sys/fs/cgroup", "cgroup2", 0, NULL);
	make_devices();
	pretend_idle();
	if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 ||
	    chdir("/") != 0)
		err(3, "pivot_root");
}

static int
listen_for_log(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 ||
	    chmod("/dev/log", 0666) != 0)
		err(3, "/dev/log");
	return fd;
}

/* n octets of text as a line in the file, by one write. A full disk is the line's bad luck. */
static void
write_log(int out, const char *text, size_t n, bool stamps)
{
	struct timespec now;
	char stamp[32] = "";
	struct iovec line[2] = {{.iov_base = stamp}, {.iov_base = (char *)text, .iov_len = n}};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (stamps)
		line[0].iov_len = (size_t)snprintf(stamp, sizeof(stamp), "%lld.%03ld ",
		    (long long)now.tv_sec, now.tv_nsec / 1000000);
	if (writev(out, line, 2) < 0 && errno != ENOSPC)
		err(3, "/var/log/mail.log");
}

/* Each datagram is "<priority>Mmm dd hh:mm:ss tag[pid]: text". */
static void
serve_log(int fd, bool stamps)
{
	int out = open("/var/log/mail.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	char line[8192];
	ssize_t n;

	if (out < 0)
		err(3, "/var/log/mail.log");
	while ((n = recv(fd, line, sizeof line - 1, 0)) >= 0 || errno == EINTR) {
		char *text;

		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\0'))
			n--;
		if (n <= 0)
			continue;
		line[n++] = '\n';
		text = line[0] == '<' ? memchr(line, '>', (size_t)n) : NULL;
		text = text != NULL ? text + 1 : line;
		write_log(out, text, (size_t)(line + n - text), stamps);
	}
	err(3, "/dev/log");
}

/* The control group of the host's own. Its file system is held open: after the change of root
 * no path leads there. */
static void
make_group(struct host *host)
{
	static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};

	host->groups = -1;
	for (size_t i = 0; i < sizeof roots / sizeof roots[0] && host->groups < 0; i++)
		host->groups = open(roots[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(host->group, sizeof host->group, "blackpony.%ld", (long)getpid());
	if (host->groups < 0 || mkdirat(host->groups, host->group, 0755) != 0)
		err(3, "no control group");
}

static void
join_group(const struct host *host)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof path, "%s/cgroup.procs", host->group);
	if ((fd = openat(host->groups, path, O_WRONLY | O_CLOEXEC)) < 0 ||
	    write(fd, "0", 1) != 1 || close(fd) != 0 || unshare(CLONE_NEWCGROUP) != 0)
		err(3, "%s", path);
}

static int
remove_group(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_DP)
		(void)rmdir(path);
	return 0;
}

static _Noreturn void
be_systemd(const struct host *host, int ready)
{
	char *argv[] = {(char *)"systemd", NULL};
	char *envp[] = {(char *)"container=mailhost", NULL};

	if (write(ready, "", 1) != 1)
		err(3, "ready");
	close(ready);
	close(STDOUT_FILENO);
	(void)open("/dev/null", O_WRONLY);
	execve(host->init, argv, envp);
	err(3, "%s", host->init);
}

static void
be_init(const struct host *host, char **binds, int ready)
{
	int log;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		err(3, "prctl");
	if (sethostname(host->fqdn, strlen(host->fqdn)) != 0)
		err(3, "sethostname %s", host->fqdn);
	if (host->init != NULL)
		join_group(host);
	make_root(host, binds);
	if (host->init != NULL)
		be_systemd(host, ready);
	signal(SIGCHLD, SIG_IGN); /* orphans collect themselves */
	log = listen_for_log();
	if (write(ready, "", 1) != 1)
		err(3, "ready");
	close(ready);
	serve_log(log, host->stamps);
}

int
main(int argc, char *argv[])
{
	const int all = CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC;
	struct host host = {.root = "/"};
	pid_t parent = getppid(), pid;
	int ready[2], status, option;
	char byte;

	while ((option = getopt(argc, argv, "+i:r:t")) != -1) {
		if (option == 'i')
			host.init = optarg;
		else if (option == 'r')
			host.root = optarg;
		else if (option == 't')
			host.stamps = true;
		else
			argc = 0;
	}
	if (argc - optind < 2)
		errx(2, "usage: mailhost [-t] [-i INIT] [-r ROOT] FQDN DIR [BIND ...]");
	host.fqdn = argv[optind];
	host.where = argv[optind + 1];
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		err(3, "prctl");
	if (host.init != NULL)
		make_group(&host);
	if (pipe2(ready, O_CLOEXEC) != 0 || unshare(all) != 0)
		err(3, "unshare");
	if ((pid = fork()) < 0)
		err(3, "fork");
	if (pid == 0) {
		close(ready[0]);
		be_init(&host, argv + optind + 2, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1) {
		printf("%ld\n", (long)pid);
		fflush(stdout);
		fclose(stdout);
	}
	waitpid(pid, &status, 0);
	if (host.init != NULL && fchdir(host.groups) == 0)
		(void)nftw(host.group, remove_group, 8, FTW_DEPTH | FTW_PHYS);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}
