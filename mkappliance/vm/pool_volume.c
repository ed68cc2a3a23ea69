/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/mem.h"
#include "lib/zero.h"
#include "vm/pool_internal.h"
#include "vm/virt.h"
#include "vm/xml.h"

#define BLOCK ((size_t)512 << 10)
#define PIECE \
	((size_t)64 << 10) /* what is sent or left out as a hole; one message of libvirt holds 256 KiB */
#define AT_HOLE (-3)	   /* of virStreamRecvFlags() */

static void free_volume(virStorageVolPtr *v)
{
	if (*v)
		(void)virStorageVolFree(*v);
}

static void free_stream(virStreamPtr *s)
{
	if (*s)
		(void)virStreamFree(*s);
}

void pool_volume_free(struct pool_volume *v)
{
	free(v->path);
	*v = (struct pool_volume){0};
}

/* An error of libvirt's about one volume. */
static int fail(const struct pool *p, const char *volume, struct error *err)
{
	_cleanup_free_ char *what = xasprintf("volume '%s' of pool '%s'", volume, p->name);

	return virt_error(err, what);
}

static bool last_is(int code)
{
	const virError *last = virGetLastError();

	return last && last->code == code;
}

static int look_up(struct pool *p, const char *volume, virStorageVolPtr *ret, struct error *err)
{
	*ret = virStorageVolLookupByName(p->pool, volume);
	return *ret ? 0 : fail(p, volume, err);
}

int pool_find(struct pool *p, const char *volume, bool *ret_there, struct pool_volume *ret, struct error *err)
{
	_cleanup_(free_volume) virStorageVolPtr v = virStorageVolLookupByName(p->pool, volume);
	virStorageVolInfo info;
	char *path;

	*ret = (struct pool_volume){0};
	*ret_there = v != NULL;
	if (!v)
		return last_is(VIR_ERR_NO_STORAGE_VOL) ? 0 : fail(p, volume, err);
	path = virStorageVolGetPath(v);
	if (!path || virStorageVolGetInfo(v, &info) < 0) {
		free(path);
		return fail(p, volume, err);
	}
	*ret = (struct pool_volume){
		.size = info.capacity,
		.kind = info.type == VIR_STORAGE_VOL_FILE    ? POOL_VOLUME_FILE
			: info.type == VIR_STORAGE_VOL_BLOCK ? POOL_VOLUME_BLOCK
							     : POOL_VOLUME_OTHER,
		.path = path,
	};
	return 0;
}

/* https://libvirt.org/formatstorage.html#storage-volume-xml */
static char *volume_xml(const struct pool *p, const char *volume, uint64_t size)
{
	struct xml_node *root = xml_new("volume"), *node;

	xml_add_text(root, "name", volume);
	xml_set(xml_add_number(root, "capacity", size), "unit", "bytes");
	/* Of a logical volume less than all would be a thin one, which breaks when its group is full. */
	xml_set(xml_add_number(root, "allocation", pool_holds_files(p) ? 0 : size), "unit", "bytes");
	node = xml_add(root, "target");
	xml_set(xml_add(node, "format"), "type", "raw");
	return xml_finish(root);
}

int pool_create(struct pool *p, const char *volume, uint64_t size, struct error *err)
{
	_cleanup_free_ char *xml = volume_xml(p, volume, size);
	_cleanup_(free_volume) virStorageVolPtr v = virStorageVolCreateXML(p->pool, xml, 0);

	if (v)
		return 0;
	if (last_is(VIR_ERR_STORAGE_VOL_EXIST))
		return error_set(err, -EEXIST, "volume '%s' of pool '%s' is there already", volume, p->name);
	return fail(p, volume, err);
}

int pool_delete(struct pool *p, const char *volume, struct error *err)
{
	_cleanup_(free_volume) virStorageVolPtr v = virStorageVolLookupByName(p->pool, volume);

	if ((v && virStorageVolDelete(v, 0) == 0) || last_is(VIR_ERR_NO_STORAGE_VOL))
		return 0;
	return fail(p, volume, err);
}

/* ---- to the host ---- */

struct sending {
	virStreamPtr stream;
	uint64_t hole; /* bytes of zeros that were not said yet */
};

static int say_hole(struct sending *s)
{
	uint64_t len = s->hole;

	s->hole = 0;
	return len > 0 ? virStreamSendHole(s->stream, (long long)len, 0) : 0;
}

static int send_bytes(struct sending *s, const char *data, size_t len)
{
	if (say_hole(s) < 0)
		return -1;
	while (len > 0) {
		int n = virStreamSend(s->stream, data, len);

		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_block(struct sending *s, const char *data, size_t len)
{
	for (size_t at = 0; at < len; at += PIECE) {
		size_t n = len - at < PIECE ? len - at : PIECE;

		if (n >= 16 && is_zero(data + at, n))
			s->hole += n;
		else if (send_bytes(s, data + at, n) < 0)
			return -1;
	}
	return 0;
}

/* Sets @err; what libvirt says of a failure comes before what the stream says when it is broken off. */
static int send_all(struct pool *p, struct sending *s, const char *volume, uint64_t size,
		    int (*give)(void *user, uint64_t offset, void *buf, size_t len, struct error *err),
		    void *user, struct error *err)
{
	_cleanup_free_ char *block = xmalloc(BLOCK);
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < size; at += BLOCK) {
		size_t len = size - at < BLOCK ? (size_t)(size - at) : BLOCK;

		r = give(user, at, block, len, err);
		if (r == 0 && send_block(s, block, len) < 0)
			r = fail(p, volume, err);
	}
	if (r == 0 && say_hole(s) < 0)
		r = fail(p, volume, err);
	if (r < 0) {
		(void)virStreamAbort(s->stream);
		return r;
	}
	return virStreamFinish(s->stream) < 0 ? fail(p, volume, err) : 0;
}

int pool_send(struct pool *p, const char *volume, uint64_t size,
	      int (*give)(void *user, uint64_t offset, void *buf, size_t len, struct error *err), void *user,
	      struct error *err)
{
	_cleanup_(free_volume) virStorageVolPtr v = NULL;
	_cleanup_(free_stream) virStreamPtr stream = NULL;
	struct sending s = {0};
	int r = look_up(p, volume, &v, err);

	if (r < 0)
		return r;
	stream = virStreamNew(p->connection, 0);
	if (!stream || virStorageVolUpload(v, stream, 0, size, VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM) < 0)
		return fail(p, volume, err);
	s.stream = stream;
	return send_all(p, &s, volume, size, give, user, err);
}

/* ---- from the host ---- */

struct receiving {
	virStreamPtr stream;
	uint64_t hole; /* bytes of zeros that are still to be handed out */
	bool ended;
};

/* Some bytes, at least one unless the stream has ended; -1: libvirt's error. */
static int receive_some(struct receiving *r, char *buf, size_t len, size_t *ret)
{
	long long hole = 0;
	int n;

	*ret = 0;
	if (r->hole == 0) {
		n = virStreamRecvFlags(r->stream, buf, len, VIR_STREAM_RECV_STOP_AT_HOLE);
		if (n == 0)
			r->ended = true;
		if (n >= 0) {
			*ret = (size_t)n;
			return 0;
		}
		if (n != AT_HOLE || virStreamRecvHole(r->stream, &hole, 0) < 0 || hole < 0)
			return -1;
		r->hole = (uint64_t)hole;
	}
	*ret = r->hole < len ? (size_t)r->hole : len;
	memset(buf, 0, *ret);
	r->hole -= *ret;
	return 0;
}

static int receive_block(struct pool *p, struct receiving *r, const char *volume, uint64_t offset,
			 char *block, size_t len, struct error *err)
{
	size_t have = 0, n;

	while (have < len) {
		if (receive_some(r, block + have, len - have, &n) < 0)
			return fail(p, volume, err);
		have += n;
		if (r->ended)
			return error_set(err, -ENODATA,
					 "volume '%s' of pool '%s' ends after %" PRIu64 " bytes", volume,
					 p->name, offset + have);
	}
	return 0;
}

int pool_receive(struct pool *p, const char *volume, uint64_t size,
		 int (*take)(void *user, uint64_t offset, const void *buf, size_t len, struct error *err),
		 void *user, struct error *err)
{
	_cleanup_(free_volume) virStorageVolPtr v = NULL;
	_cleanup_(free_stream) virStreamPtr stream = NULL;
	_cleanup_free_ char *block = xmalloc(BLOCK);
	struct receiving s = {0};
	int r = look_up(p, volume, &v, err);

	if (r < 0)
		return r;
	stream = virStreamNew(p->connection, 0);
	if (!stream || virStorageVolDownload(v, stream, 0, size, VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM) < 0)
		return fail(p, volume, err);
	s.stream = stream;
	for (uint64_t at = 0; r == 0 && at < size; at += BLOCK) {
		size_t len = size - at < BLOCK ? (size_t)(size - at) : BLOCK;

		r = receive_block(p, &s, volume, at, block, len, err);
		if (r == 0)
			r = take(user, at, block, len, err);
	}
	/* Nothing but its end may follow; whether it came to its end is not asked: all bytes were there. */
	(void)virStreamAbort(stream);
	return r;
}
