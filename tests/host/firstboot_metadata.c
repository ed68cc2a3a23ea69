/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The init's metadata in this namespace: firstboot_metadata KEY=VALUE..., lines of the init's configuration. Prints the
 * host name and the variables. To be run in a UTS namespace of its own: it sets the host name.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../../firstboot/events.h"
#include "../../firstboot/metadata.h"
#include "../../firstboot/uevent.h"
#include "host.h"

int main(int argc, char **argv)
{
	static struct conf conf;
	static struct events events;
	char name[65] = "";
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	host_conf(argc, argv, &conf);
	events_open(&events, uevent_open());
	metadata_start(&conf, &events);
	(void)gethostname(name, sizeof(name) - 1);
	printf("hostname %s\n", name);
	for (const char *const *v = metadata_env(); *v; v++)
		printf("%s\n", *v);
	return 0;
}
