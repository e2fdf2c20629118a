/*
 * ownnames - the names and addresses under which this host receives mail. See ownnames.h.
 */
#include "ownnames.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
add_name(struct ownnames *o, const char *name, size_t n)
{
	char *grown;

	if (n > 0 && name[n - 1] == '.')
		n--;
	if (n == 0)
		return true;
	grown = realloc(o->names, o->octets + n + 1);
	if (grown == NULL)
		return false;
	o->names = grown;
	memcpy(o->names + o->octets, name, n);
	o->names[o->octets + n] = '\0';
	o->octets += n + 1;
	return true;
}

/* What sendmail's F{w}file %[^#] reads: the words before the first '#' of each line. */
static bool
add_line(struct ownnames *o, const char *line)
{
	static const char space[] = " \t\r\n\v\f";
	size_t n;

	for (line += strspn(line, space); *line != '\0' && *line != '#';
	     line += n + strspn(line + n, space)) {
		n = strcspn(line, " \t\r\n\v\f#");
		if (!add_name(o, line, n))
			return false;
	}
	return true;
}

static bool
read_file(struct ownnames *o, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	int error = 0;

	if (file == NULL)
		return false;
	while (error == 0 && getline(&line, &cap, file) >= 0)
		if (!add_line(o, line))
			error = errno;
	if (error == 0 && ferror(file))
		error = errno;
	free(line);
	(void)fclose(file);
	errno = error;
	return error == 0;
}

static bool
read_hostname(struct ownnames *o)
{
	char name[256];

	if (gethostname(name, sizeof name) != 0)
		return false;
	name[sizeof name - 1] = '\0';
	return add_name(o, name, strlen(name));
}

static bool
read_interfaces(struct ownnames *o)
{
	struct ifaddrs *all, *at;
	size_t n = 0;

	if (getifaddrs(&all) != 0)
		return false;
	for (at = all; at != NULL; at = at->ifa_next)
		n++;
	o->address = calloc(n + 1, sizeof *o->address);
	for (at = all; o->address != NULL && at != NULL; at = at->ifa_next) {
		if (at->ifa_addr == NULL)
			continue;
		if (at->ifa_addr->sa_family == AF_INET)
			memcpy(&o->address[o->addresses++], at->ifa_addr,
			    sizeof(struct sockaddr_in));
		else if (at->ifa_addr->sa_family == AF_INET6)
			memcpy(&o->address[o->addresses++], at->ifa_addr,
			    sizeof(struct sockaddr_in6));
	}
	freeifaddrs(all);
	return o->address != NULL;
}

bool
ownnames_read(struct ownnames *o, const char *path, char *fault, size_t cap)
{
	memset(o, 0, sizeof *o);
	if (path != NULL && !read_file(o, path)) {
		snprintf(fault, cap, "%s: %s", path, strerror(errno));
		goto bad;
	}
	if (!read_hostname(o)) {
		snprintf(fault, cap, "host name: %s", strerror(errno));
		goto bad;
	}
	if (!read_interfaces(o)) {
		snprintf(fault, cap, "interface addresses: %s", strerror(errno));
		goto bad;
	}
	return true;
bad:
	ownnames_free(o);
	return false;
}

bool
ownnames_has_name(const struct ownnames *o, const char *name)
{
	size_t n = strlen(name);

	if (n > 0 && name[n - 1] == '.')
		n--;
	for (size_t at = 0; at < o->octets; at += strlen(o->names + at) + 1)
		if (strncasecmp(o->names + at, name, n) == 0 && o->names[at + n] == '\0')
			return true;
	return false;
}

static bool
has_ipv4(const struct ownnames *o, struct in_addr wanted)
{
	const uint32_t host_order = ntohl(wanted.s_addr);

	if (host_order >> 24 == IN_LOOPBACKNET || host_order == INADDR_ANY)
		return true;
	for (size_t i = 0; i < o->addresses; i++) {
		const struct sockaddr_in *ours = (const struct sockaddr_in *)&o->address[i];

		if (ours->sin_family == AF_INET && ours->sin_addr.s_addr == wanted.s_addr)
			return true;
	}
	return false;
}

static bool
has_ipv6(const struct ownnames *o, const struct in6_addr *wanted)
{
	struct in_addr mapped;

	if (IN6_IS_ADDR_LOOPBACK(wanted) || IN6_IS_ADDR_UNSPECIFIED(wanted))
		return true;
	if (IN6_IS_ADDR_V4MAPPED(wanted)) {
		memcpy(&mapped, &wanted->s6_addr[12], sizeof mapped);
		return has_ipv4(o, mapped);
	}
	for (size_t i = 0; i < o->addresses; i++) {
		const struct sockaddr_in6 *ours = (const struct sockaddr_in6 *)&o->address[i];

		if (ours->sin6_family == AF_INET6 &&
		    IN6_ARE_ADDR_EQUAL(&ours->sin6_addr, wanted))
			return true;
	}
	return false;
}

bool
ownnames_has_address(const struct ownnames *o, const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return has_ipv4(o, ((const struct sockaddr_in *)address)->sin_addr);
	if (address->ss_family == AF_INET6)
		return has_ipv6(o, &((const struct sockaddr_in6 *)address)->sin6_addr);
	return false;
}

void
ownnames_free(struct ownnames *o)
{
	free(o->names);
	free(o->address);
	memset(o, 0, sizeof *o);
}
