/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The init's network on an interface of this namespace: firstboot_network KEY=VALUE..., lines of the init's
 * configuration. Prints the records and "started"; ends by SIGTERM. To be run in namespaces of its own: it writes
 * /run/resolv.conf.
 */
#include <signal.h>

#include "../../firstboot/console.h"
#include "../../firstboot/events.h"
#include "../../firstboot/network.h"
#include "../../firstboot/uevent.h"
#include "host.h"

int main(int argc, char **argv)
{
	static struct conf conf;
	static struct events events;
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	host_conf(argc, argv, &conf);
	events_open(&events, uevent_open());
	network_start(&conf, &events);
	if (!events.stop)
		(void)console_write("started\n", 8);
	while (!events.stop) {
		struct pollfd p[NETWORK_FDS_MAX];

		events_wait(&events, p, network_poll(p, NETWORK_FDS_MAX), network_deadline());
		network_step();
	}
	return 0;
}
