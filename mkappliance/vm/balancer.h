/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load balancer of a local group: HAProxy as a process of its own that goes on when we are gone, and is told by its runtime socket
 * (HAProxy 2.6 Management Guide, section 9.3 "Unix Socket commands") who is there, without a reload.
 */
#ifndef MKAPPLIANCE_VM_BALANCER_H
#define MKAPPLIANCE_VM_BALANCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define BALANCER_NAME_SIZE 48
#define BALANCER_RISE	   2 /* checks that must pass until it is up again */
#define BALANCER_FALL	   3 /* that must fail until it is down */

struct balancer_config {
	const char *dir;     /* holds its configuration and its socket; private, short path */
	const char *address; /* "127.0.0.1" */
	uint16_t port;	     /* where clients connect */
	const char *
		health_path; /* GET, of the port that balancer_add() is given; see balancer_path_is_plain() */
	int health_status;   /* expected */
};

enum balancer_verdict {
	VERDICT_NONE, /* not checked yet */
	VERDICT_UP,   /* BALANCER_RISE checks passed */
	VERDICT_DOWN,
};

struct balancer_server {
	char name[BALANCER_NAME_SIZE];
	enum balancer_verdict verdict;
	bool ready;	      /* may be given requests */
	unsigned connections; /* open now */
	uint64_t bytes;	      /* that clients got from it */
	char reason[80];      /* of the verdict: "answered 503" */
};

struct balancer_report {
	struct balancer_server *servers; /* owned */
	size_t count;
	uint64_t requests; /* of clients since it was started */
	uint64_t lost;	   /* of these, answered with 5xx */
};

/* Letters, digits and -._~/?=&+: only: what stands in HAProxy's configuration as it is. */
bool balancer_path_is_plain(const char *path);

/* Starts it, unless one that was started from the same directory runs. A port that somebody else has is an error that says so. */
int balancer_start(const struct balancer_config *c, struct error *err);
/* Ends it, with all its connections. 0 when none runs. */
int balancer_stop(const char *dir, struct error *err);

/*
 * Adds a server at 127.0.0.1:@port, checked at @health_port, that gets no requests yet. One that is there is no error, nor is the removal
 * of one that is not. -EAGAIN when the balancer is not there.
 */
int balancer_add(const char *dir, const char *name, uint16_t port, uint16_t health_port, struct error *err);
/* @ready: it may be given requests; else it ends those that it has, and one that is not there has none. */
int balancer_set_ready(const char *dir, const char *name, bool ready, struct error *err);
/* Breaks what connections it still has. */
int balancer_remove(const char *dir, const char *name, struct error *err);

int balancer_read(const char *dir, struct balancer_report *ret, struct error *err);
void balancer_report_free(struct balancer_report *r);
#define _cleanup_balancer_report_ __attribute__((cleanup(balancer_report_free)))

/*
 * What "show servers state" and "show stat" answered, one after the other. Lines that are not understood are left out. For
 * balancer_read() and its tests.
 */
void balancer_parse(const char *text, struct balancer_report *ret);

#endif
