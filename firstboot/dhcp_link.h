/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of the DHCP client on one interface. */
#ifndef FIRSTBOOT_DHCP_LINK_H
#define FIRSTBOOT_DHCP_LINK_H

#include "dhcp_client.h"
#include "net.h"

struct dhcp_link {
	int packet_fd; /* sees answers while the interface has no address; -1: closed */
	int udp_fd;    /* from our address to one server; -1: there is no address */
	struct dhcp_client client;
};

/* Opens the packet socket and begins. 0 or -errno. */
int dhcp_link_open(struct dhcp_link *d, const struct net_interface *n, const char *hostname);

/* Does what is due and takes one packet, without waiting. DHCP_SEND never comes out of here. */
enum dhcp_action dhcp_link_step(struct dhcp_link *d, const struct net_interface *n);

/* For renewals: the socket on our new address. A failure only means that renewals go by broadcast. */
void dhcp_link_bind(struct dhcp_link *d, const struct net_interface *n);
void dhcp_link_unbind(struct dhcp_link *d);

#endif
