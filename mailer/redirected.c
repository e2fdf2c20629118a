/*
 * redirected - see redirected.h.
 *
 * Linux remembers it for each connection that a "redirect" rule of nftables has changed, and
 * tells whoever accepted it (SO_ORIGINAL_DST). Of one that was not changed it tells our own
 * address, or nothing.
 */
#include "mailer/redirected.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The same number for both families: linux/netfilter_ipv4.h, netfilter_ipv6/ip6_tables.h. Those
 * headers do not go with the C library's. */
#define ORIGINAL_DST 80

static bool
failed(char *why, size_t why_size, const char *what)
{
	(void)snprintf(why, why_size, "-r: %s", what);
	return false;
}

static bool
from_ipv4(int fd, const struct sockaddr_in *own, char *host, uint16_t *port)
{
	struct sockaddr_in to = {.sin_family = AF_UNSPEC};
	socklen_t n = sizeof(to);
	char text[INET_ADDRSTRLEN];

	if (getsockopt(fd, IPPROTO_IP, ORIGINAL_DST, &to, &n) != 0 ||
	    to.sin_family != AF_INET ||
	    (to.sin_addr.s_addr == own->sin_addr.s_addr && to.sin_port == own->sin_port) ||
	    inet_ntop(AF_INET, &to.sin_addr, text, sizeof(text)) == NULL)
		return false;
	(void)snprintf(host, REDIRECTED_HOST_MAX, "[%s]", text);
	*port = ntohs(to.sin_port);
	return true;
}

static bool
from_ipv6(int fd, const struct sockaddr_in6 *own, char *host, uint16_t *port)
{
	struct sockaddr_in6 to = {.sin6_family = AF_UNSPEC};
	socklen_t n = sizeof(to);
	char text[INET6_ADDRSTRLEN];

	if (getsockopt(fd, IPPROTO_IPV6, ORIGINAL_DST, &to, &n) != 0 ||
	    to.sin6_family != AF_INET6 ||
	    (IN6_ARE_ADDR_EQUAL(&to.sin6_addr, &own->sin6_addr) &&
		to.sin6_port == own->sin6_port) ||
	    inet_ntop(AF_INET6, &to.sin6_addr, text, sizeof(text)) == NULL)
		return false;
	(void)snprintf(host, REDIRECTED_HOST_MAX, "[IPv6:%s]", text);
	*port = ntohs(to.sin6_port);
	return true;
}

bool
redirected_from(
    int fd, char host[REDIRECTED_HOST_MAX], uint16_t *port, char *why, size_t why_size)
{
	struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
	socklen_t n = sizeof(own);
	bool found = false;

	if (getsockname(fd, (struct sockaddr *)&own, &n) != 0)
		return failed(why, why_size, "standard input is no connection");
	if (own.ss_family == AF_INET)
		found = from_ipv4(fd, (const struct sockaddr_in *)&own, host, port);
	else if (own.ss_family == AF_INET6)
		found = from_ipv6(fd, (const struct sockaddr_in6 *)&own, host, port);
	return found || failed(why, why_size, "this connection was not redirected to here");
}
