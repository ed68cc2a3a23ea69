/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The init's parser of DHCP answers; the input is the IP packet. Its header's checksum is made right, or nothing
 * would get through.
 */
#include <stdlib.h>
#include <string.h>

#include "../../firstboot/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void reseal(uint8_t *p, size_t len)
{
	size_t header = len ? (size_t)(p[0] & 15) * 4 : 0;
	uint32_t sum = 0;

	if (header < 20 || header > len)
		return;
	p[10] = p[11] = 0;
	for (size_t i = 0; i < header; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	p[10] = (uint8_t)(~sum >> 8);
	p[11] = (uint8_t)~sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};
	struct dhcp_lease l;
	enum dhcp_type type;
	uint8_t *p = malloc(len ? len : 1);

	if (!p)
		abort();
	if (len)
		memcpy(p, data, len);
	reseal(p, len);
	if (dhcp_parse(p, len, 0x12345678, mac, &type, &l) == 0 && type != DHCP_NAK &&
	    (!l.address || !l.netmask || !memchr(l.domain, '\0', sizeof(l.domain))))
		abort();
	free(p);
	return 0;
}
