/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "file.h"
#include "net.h"

static int net_ioctl(unsigned long request, void *argument)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = ioctl(fd, (int)request, argument) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static void set_name(struct ifreq *r, const char *name)
{
	memset(r, 0, sizeof *r);
	memcpy(r->ifr_name, name, strnlen(name, sizeof r->ifr_name - 1));
}

static int set_up(const char *name)
{
	struct ifreq r;
	int e;

	set_name(&r, name);
	e = net_ioctl(SIOCGIFFLAGS, &r);
	if (e < 0)
		return e;
	r.ifr_flags |= IFF_UP;
	return net_ioctl(SIOCSIFFLAGS, &r);
}

int net_loopback(void)
{
	return set_up("lo");
}

int net_up(const struct net_interface *n)
{
	return set_up(n->name);
}

/* Whether @name is an Ethernet interface, and its index; @any: of something else than a device too. */
static bool is_ethernet(int class, const char *name, bool any, uint64_t *ret_index)
{
	int fd = openat(class, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t type;
	bool is;

	if (fd < 0)
		return false;
	is = (any || faccessat(fd, "device", F_OK, 0) == 0) && file_read_number(fd, "type", &type) == 0 &&
	     type == ARPHRD_ETHER && file_read_number(fd, "ifindex", ret_index) == 0 &&
	     *ret_index <= INT32_MAX;
	close(fd);
	return is;
}

int net_find(const char *wanted, struct net_interface *ret)
{
	struct dir d;
	const char *name;
	unsigned char type;
	uint64_t index, best = 0;
	struct ifreq r;
	int e = dir_open(&d, AT_FDCWD, "/sys/class/net");

	if (e < 0)
		return e;
	while ((e = dir_next(&d, &name, &type)) > 0)
		if (strlen(name) < sizeof ret->name && (!wanted || strcmp(name, wanted) == 0) &&
		    is_ethernet(d.fd, name, wanted != NULL, &index) && (best == 0 || index < best)) {
			best = index;
			memset(ret->name, 0, sizeof ret->name);
			memcpy(ret->name, name, strlen(name));
		}
	dir_close(&d);
	if (e < 0 || best == 0)
		return e < 0 ? e : -ENODEV;
	ret->index = (int)best;
	set_name(&r, ret->name);
	e = net_ioctl(SIOCGIFHWADDR, &r);
	if (e < 0)
		return e;
	memcpy(ret->mac, r.ifr_hwaddr.sa_data, sizeof ret->mac);
	return 0;
}
