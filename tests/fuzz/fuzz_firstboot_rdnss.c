/* SPDX-License-Identifier: Apache-2.0 */
/* The init's reader of what routers say of DNS; the input is the options of a message of the kernel. */
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../../firstboot/rdnss.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct nduseroptmsg m = {
		.nduseropt_family = AF_INET6, .nduseropt_ifindex = 2, .nduseropt_icmp_type = 134};
	struct nlmsghdr h = {.nlmsg_type = RTM_NEWNDUSEROPT};
	struct rdnss r = {.count = 0};
	uint8_t *p;

	if (len > UINT16_MAX)
		return 0;
	m.nduseropt_opts_len = (uint16_t)len;
	h.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(m)) + len);
	p = malloc(h.nlmsg_len);
	if (!p)
		abort();
	memcpy(p, &h, sizeof(h));
	memcpy(p + NLMSG_HDRLEN, &m, sizeof(m));
	if (len)
		memcpy(p + NLMSG_LENGTH(sizeof(m)), data, len);
	for (uint64_t now = 0; now < 3; now++)
		(void)rdnss_take(&r, p, h.nlmsg_len, now * 1000);
	if (r.count > RDNSS_MAX || !memchr(r.search, '\0', sizeof(r.search)))
		abort();
	(void)rdnss_expire(&r, UINT64_MAX - 1);
	free(p);
	return 0;
}
