/* SPDX-License-Identifier: Apache-2.0 */
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "beside.h"
#include "cgroup.h"
#include "device.h"
#include "hypervisor.h"
#include "module.h"
#include "net.h"
#include "realtime.h"

/* A module's line: its path, and behind a blank the devices that it is for. */
static bool is_wanted(const char *module)
{
	const char *devices = strchr(module, ' ');

	return !devices || device_is_here(devices);
}

static int load(const char *module, struct line *why)
{
	struct line path = {.len = 0};
	int r;

	if (!is_wanted(module))
		return 0;
	line_bytes(&path, module, strcspn(module, " "));
	r = module_load(path.text);
	if (r < 0)
		line_printf(why, "%s: %s", path.text, strerror(-r));
	return r;
}

int start_load(const struct conf_list *paths, struct line *why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < paths->len; i++)
		r = load(paths->ptr[i], why);
	return r;
}

void start_load_late(const struct conf *c)
{
	const struct conf_list *const lists[] = {&c->first_modules, &c->modules, &c->last_modules};
	struct line why = {.len = 0};

	device_forget();
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		(void)start_load(lists[i], &why);
}

static int first(const struct conf *c, struct line *why)
{
	return start_load(&c->first_modules, why);
}

static int side(const struct conf *c, struct line *why)
{
	int r = hypervisor_is(HYPERVISOR_TCG) ? 0 : start_load(&c->hash_modules, why);

	return r < 0 ? r : start_load(&c->side_modules, why);
}

/* Mounts them and makes one for each service. 1; 0: the kernel has none, and none is needed. */
static int control_groups(const struct conf *c, struct line *why)
{
	int r = cgroup_mount();
	bool there = r == 0;

	if (r < 0 && r != -ENODEV) {
		line_printf(why, "/sys/fs/cgroup: %s", strerror(-r));
		return r;
	}
	if (there)
		cgroup_use();
	for (size_t i = 0; i < c->service_count; i++) {
		const struct conf_service *s = &c->services[i];

		r = cgroup_make(s->name, s->memory_max, s->tasks_max);
		if (r < 0) {
			line_printf(why, "the control group of %s (MemoryMax=, TasksMax=): %s", s->name,
				    strerror(-r));
			return r;
		}
	}
	return there;
}

static int setup(const struct conf *c, struct line *why)
{
	int r = net_loopback();

	if (r < 0) {
		line_printf(why, "the loopback interface: %s", strerror(-r));
		return r;
	}
	return control_groups(c, why);
}

/* Nothing fails here: what cannot be read now cannot be read then, and is told then. */
static void read_ahead(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
	close(fd);
}

/* The services' programs come from the disk while the drivers load. */
static int drivers(const struct conf *c, struct line *why)
{
	int r;

	for (size_t i = 0; i < c->service_count; i++)
		read_ahead(c->services[i].args.ptr[0]);
	r = start_load(&c->root_modules, why);

	if (r == 0 && c->clock_module && realtime_may_have_clock())
		r = load(c->clock_module, why);
	return r;
}

/* Whether this machine's disk has drivers to be loaded by process 1. */
static bool has_drivers(const struct conf *c)
{
	const struct conf_list *const lists[] = {&c->modules, &c->last_modules};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		for (size_t m = 0; m < lists[i]->len; m++)
			if (is_wanted(lists[i]->ptr[m]))
				return true;
	return false;
}

void start_beside(const struct conf *c)
{
	static struct beside_part parts[START_COUNT] = {
		[START_FIRST] = {.work = first},
		[START_SIDE] = {.work = side},
		[START_SETUP] = {.work = setup},
		[START_DRIVERS] = {.work = drivers, .of_root = true},
	};

	/* Process 1 would only wait. */
	if (!c->system && !has_drivers(c))
		parts[START_FIRST].not_beside = parts[START_SIDE].not_beside = true;
	beside_begin(parts, c->system ? START_SETUP : START_COUNT, beside_processors(), c);
}
