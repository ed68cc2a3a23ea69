/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
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

/* Whether @name is a device's Ethernet interface, and its index. */
static bool is_ethernet(int class, const char *name, uint64_t *ret_index)
{
	int fd = openat(class, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t type;
	bool is;

	if (fd < 0)
		return false;
	is = faccessat(fd, "device", F_OK, 0) == 0 && file_read_number(fd, "type", &type) == 0 &&
	     type == ARPHRD_ETHER && file_read_number(fd, "ifindex", ret_index) == 0 &&
	     *ret_index <= INT32_MAX;
	close(fd);
	return is;
}

int net_find(struct net_interface *ret)
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
		if (strlen(name) < sizeof ret->name && is_ethernet(d.fd, name, &index) &&
		    (best == 0 || index < best)) {
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

/* @address in host order. */
static void put_address(struct sockaddr *out, uint32_t address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};

	memcpy(out, &in, sizeof in);
}

static int set_address(const char *name, unsigned long request, uint32_t address)
{
	struct ifreq r;

	set_name(&r, name);
	put_address(&r.ifr_addr, address);
	return net_ioctl(request, &r);
}

/* @gateway 0: the destination is on the link. */
static int add_route(char *device, uint32_t destination, uint32_t mask, uint32_t gateway)
{
	struct rtentry r = {.rt_flags = RTF_UP, .rt_dev = device};

	put_address(&r.rt_dst, destination);
	put_address(&r.rt_genmask, mask);
	put_address(&r.rt_gateway, gateway);
	if (gateway)
		r.rt_flags |= RTF_GATEWAY;
	if (mask == UINT32_MAX)
		r.rt_flags |= RTF_HOST;
	return net_ioctl(SIOCADDRT, &r);
}

int net_configure(const struct net_interface *n, const struct dhcp_lease *l)
{
	char device[sizeof n->name];
	struct ifreq mtu;
	int r;

	memcpy(device, n->name, sizeof device);
	if (l->mtu) {
		set_name(&mtu, device);
		mtu.ifr_mtu = l->mtu;
		/* An interface that cannot have it keeps its own; that still works, more slowly. */
		(void)net_ioctl(SIOCSIFMTU, &mtu);
	}
	r = set_address(device, SIOCSIFADDR, l->address);
	if (r == 0)
		r = set_address(device, SIOCSIFNETMASK, l->netmask);
	if (r < 0 || !l->router)
		return r;
	/* Some clouds hand out a /32; the router is on the link all the same. */
	if ((l->router & l->netmask) != (l->address & l->netmask))
		r = add_route(device, l->router, UINT32_MAX, 0);
	return r < 0 ? r : add_route(device, 0, 0, l->router);
}
