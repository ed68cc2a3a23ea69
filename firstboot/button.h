/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power button, as the ACPI core tells it over generic netlink (family "acpi_event"). That needs one
 * module, button.ko, where the input layer would need evdev.ko as well and a search for the right device.
 */
#ifndef FIRSTBOOT_BUTTON_H
#define FIRSTBOOT_BUTTON_H

#include <stdbool.h>

/* A non-blocking socket, or -errno: this kernel or machine has no ACPI. */
int button_open(void);

/* Reads what is waiting; whether the power button was among it. */
bool button_pressed(int fd);

#endif
