/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"
#include "line.h"

#define PCI	 "pci"
#define BUS_MAX	 32    /* bytes of a bus's name */
#define TEXT_MAX 16384 /* of the modaliases of a bus: of about 250 devices */

/* The modaliases of one bus, each with a NUL at its end. */
static struct {
	char bus[BUS_MAX];
	char text[TEXT_MAX];
	size_t len;
	bool known; /* false: they are too many, or cannot be read */
} devices;

bool device_matches(const char *pattern, size_t len, const char *text)
{
	const char *end = pattern + len, *star = NULL, *from = NULL;

	while (*text) {
		if (pattern < end && *pattern == '*') {
			star = pattern++;
			from = text;
		} else if (pattern < end && *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}

/* Adds the modalias of one. A device without one is none of ours. */
static bool add(int dir, const char *name)
{
	char *to = devices.text + devices.len;
	struct line path = {.len = 0};
	size_t len = 0;
	int r;

	line_printf(&path, "%s/modalias", name);
	r = file_read(dir, path.text, to, sizeof devices.text - devices.len, &len);
	if (r < 0)
		return r == -ENOENT;
	if (len && to[len - 1] == '\n')
		to[len - 1] = '\0';
	devices.len += len + 1;
	return true;
}

/* False: nobody knows. A bus that is not there has no devices. */
static bool read_bus(const char *bus)
{
	struct line path = {.len = 0};
	struct dir d;
	const char *name;
	unsigned char type;
	bool known = true;
	int r;

	devices.len = 0;
	line_printf(&path, "/sys/bus/%s/devices", bus);
	r = dir_open(&d, AT_FDCWD, path.text);
	if (r < 0)
		return r == -ENOENT;
	while (known && (r = dir_next(&d, &name, &type)) > 0)
		known = add(d.fd, name);
	dir_close(&d);
	return known && r >= 0;
}

static void look_at(const char *pattern, size_t bus_len)
{
	/* Loading a driver brings what is on other buses. */
	if (strncmp(devices.bus, pattern, bus_len) == 0 && devices.bus[bus_len] == '\0' &&
	    strcmp(devices.bus, PCI) == 0)
		return;
	memcpy(devices.bus, pattern, bus_len);
	devices.bus[bus_len] = '\0';
	devices.known = read_bus(devices.bus);
}

static bool has(const char *pattern, size_t len)
{
	size_t bus_len = strcspn(pattern, ":");

	if (bus_len >= len || bus_len >= BUS_MAX)
		return true;
	look_at(pattern, bus_len);
	if (!devices.known)
		return true;
	for (size_t at = 0; at < devices.len; at += strlen(devices.text + at) + 1)
		if (device_matches(pattern, len, devices.text + at))
			return true;
	return false;
}

bool device_is_here(const char *patterns)
{
	size_t len;

	for (; *(patterns += strspn(patterns, " ")); patterns += len) {
		len = strcspn(patterns, " ");
		if (has(patterns, len))
			return true;
	}
	return false;
}

void device_forget(void)
{
	devices.bus[0] = '\0';
}
