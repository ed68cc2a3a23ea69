/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A local group on the disk, and how a command talks to the keeper of it (cmd_keeper.c). All of it are files in one directory,
 * $XDG_STATE_HOME/mkappliance/groups/NAME, so that whoever is killed leaves a state that the next one can go on from:
 *
 *   settings.json   what the group was created with: written by commands, read by the keeper
 *   state.json      rollout/journal.h: written by the keeper alone
 *   request.json    what a command wants; the keeper takes it away once it stands in state.json that it was taken in
 *   images/         ID.raw and ID.manifest.json of the images that are or may be needed
 *   drills.json     what drills came to
 *   keeper.log      what the keeper said
 *   trouble         why it cannot work at present; empty when it does
 *   lock, client.lock   held (flock) by the keeper, and by a command that has a request
 *   closing         the group is being destroyed
 *   m/, v/, haproxy.*   vm/members.h, vm/balancer.h
 */
#ifndef MKAPPLIANCE_CMD_GROUP_H
#define MKAPPLIANCE_CMD_GROUP_H

#include "image/manifest.h"
#include "rollout/journal.h"

struct group_settings {
	char *arch;
	char *connect; /* NULL: embedded */
	char *address; /* of the balancer */
	char *health_path;
	int health_status;
	uint16_t listen;      /* port of the balancer */
	uint16_t port;	      /* of the guest */
	uint16_t health_port; /* of the guest */
	unsigned memory;      /* MiB; 0: as the image's manifest says */
	unsigned cpus;	      /* the same */
};

struct group_dir {
	char *path;
	char *name;
	struct group_settings settings; /* filled by group_dir_read_settings() */
};

/* @name may be NULL: a usage error then. Nothing has to be there yet. */
int group_dir_open(const char *name, struct group_dir *ret, struct error *err);
void group_dir_close(struct group_dir *d);
#define _cleanup_group_dir_ __attribute__((cleanup(group_dir_close)))

/* "DIR/NAME"; to be freed. */
char *group_dir_file(const struct group_dir *d, const char *name);
/* "DIR/images/ID.raw"; to be freed. */
char *group_dir_image(const struct group_dir *d, const char *id);

bool group_dir_exists(const struct group_dir *d);
/* -ENOENT with a message that says how to make one. */
int group_dir_need(const struct group_dir *d, struct error *err);
int group_dir_read_settings(struct group_dir *d, struct error *err);
int group_dir_write_settings(const struct group_dir *d, struct error *err);
/* -ENOENT when the state is gone though there are machines: whoever went on without it would end them, or make a second group beside them. */
int group_dir_check_state(const struct group_dir *d, struct error *err);
/* To be emptied with group_free(). */
int group_dir_read_state(const struct group_dir *d, struct group *ret, struct error *err);
/* Name and version of an image as its manifest says: "hello 2.0.0", or its id; to be freed. */
char *group_dir_image_name(const struct group_dir *d, const char *id);
/* The image of the group that @text names: an id, the beginning of one, or a version. Written to @ret. */
int group_dir_find_image(const struct group_dir *d, const char *text, char ret[ROLLOUT_IMAGE_SIZE],
			 struct error *err);

/* Whether its keeper runs; starts it where it does not, and waits until it does. */
bool group_keeper_runs(const struct group_dir *d);
int group_keeper_start(const struct group_dir *d, struct error *err);

/* For the keeper: opens what group_trouble_set() writes to, with nothing in it. */
int group_trouble_open(const struct group_dir *d, int *ret, struct error *err);
/* @text: "" when it works. What is too long is cut. */
void group_trouble_set(int fd, const char *text);
/* Why its keeper cannot work, or the last one could not; NULL: nothing is known of it. To be freed. */
char *group_trouble(const struct group_dir *d);

/* One command at a time; -1 when somebody has it and @wait is not wanted. Given back by closing it. */
int group_dir_lock(const struct group_dir *d, bool wait, int *ret, struct error *err);

/*
 * Asks the keeper for @kind with the members of @more (owned here; NULL: none) and waits until it was taken in. What it refuses is an
 * error with its words. Call with the lock held, and the keeper running.
 */
int group_request(const struct group_dir *d, const char *kind, struct json *more, struct error *err);

/* One step of waiting: 200 ms, or -EINTR. A keeper that has died is started again. */
int group_wait(const struct group_dir *d, struct error *err);

/* Milliseconds since 1970. */
int64_t group_now(void);

/*
 * Copies an image with its manifest into the group, so that a later build over it changes nothing here, and proves the copy
 * (@verify). @ret_id has room for ROLLOUT_IMAGE_SIZE bytes: the digest of its blocks. Call with the lock held.
 */
int group_import(const struct group_dir *d, const char *image, bool verify, char *ret_id, struct error *err);
/* An altered copy of the image @id under the name @as. */
int group_import_altered(const struct group_dir *d, const char *id, const char *as,
			 int (*alter)(int fd, const struct manifest *m, struct error *err),
			 struct error *err);

/*
 * Waits until deployment @number has ended, and tells on the way (unless @quiet) what becomes of each instance. @ret: the group at its
 * end, emptied with group_free() by the caller.
 */
int group_follow(const struct group_dir *d, unsigned number, struct group *ret, struct error *err);
/* 0 when it was deployed; else an error with its reason and its exit code. */
int group_judge(const struct group *g, struct error *err);

/* The document of 'status', without and with what the images are called. */
struct json *group_status_json(const struct group_dir *d, const struct group *g);
/* "3.2 s", "4 min", "2 h", "5 d"; to be freed. */
char *group_age(int64_t since, int64_t now);

#endif
