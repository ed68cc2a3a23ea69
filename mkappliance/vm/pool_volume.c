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

#define BLOCK	((size_t)512 << 10)
#define PIECE	((size_t)64 << 10)  /* what is looked at for zeros; one message of libvirt holds 256 KiB */
#define GAP	((uint64_t)4 << 20) /* zeros that are worth another stream */
#define AT_HOLE (-3)		    /* of virStreamRecvFlags() */

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
	struct pool *pool;
	const char *name;
	virStorageVolPtr volume;
	virStreamPtr stream; /* NULL: in zeros that are left out */
	uint64_t zeros;	     /* bytes of them that were not sent yet */
};

static int open_stream(struct sending *s, uint64_t offset, struct error *err)
{
	s->stream = virStreamNew(s->pool->connection, 0);
	if (s->stream && virStorageVolUpload(s->volume, s->stream, offset, 0, 0) == 0)
		return 0;
	return fail(s->pool, s->name, err);
}

static int finish_stream(struct sending *s, struct error *err)
{
	int r = s->stream && virStreamFinish(s->stream) < 0 ? fail(s->pool, s->name, err) : 0;

	free_stream(&s->stream);
	s->stream = NULL;
	return r;
}

static int send_bytes(struct sending *s, const char *data, size_t len, struct error *err)
{
	while (len > 0) {
		int n = virStreamSend(s->stream, data, len);

		if (n <= 0)
			return fail(s->pool, s->name, err);
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* What is not zero, at @offset: in the stream that is open, or in a new one behind many zeros. */
static int send_piece(struct sending *s, uint64_t offset, const char *data, size_t len, struct error *err)
{
	static const char zeros[PIECE];
	int r = s->zeros >= GAP ? finish_stream(s, err) : 0;

	if (r == 0 && !s->stream) {
		s->zeros = 0;
		r = open_stream(s, offset, err);
	}
	for (; r == 0 && s->zeros > 0; s->zeros -= s->zeros < PIECE ? s->zeros : PIECE)
		r = send_bytes(s, zeros, s->zeros < PIECE ? (size_t)s->zeros : PIECE, err);
	return r < 0 ? r : send_bytes(s, data, len, err);
}

static int send_block(struct sending *s, uint64_t offset, const char *data, size_t len, struct error *err)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at < len; at += PIECE) {
		size_t n = len - at < PIECE ? len - at : PIECE;

		if (n >= 16 && is_zero(data + at, n))
			s->zeros += n;
		else
			r = send_piece(s, offset + at, data + at, n, err);
	}
	return r;
}

int pool_send(struct pool *p, const char *volume, uint64_t size,
	      int (*give)(void *user, uint64_t offset, void *buf, size_t len, struct error *err), void *user,
	      struct error *err)
{
	_cleanup_(free_volume) virStorageVolPtr v = NULL;
	_cleanup_free_ char *block = xmalloc(BLOCK);
	struct sending s = {.pool = p, .name = volume};
	int r = look_up(p, volume, &v, err);

	s.volume = v;
	for (uint64_t at = 0; r == 0 && at < size; at += BLOCK) {
		size_t len = size - at < BLOCK ? (size_t)(size - at) : BLOCK;

		r = give(user, at, block, len, err);
		if (r == 0)
			r = send_block(&s, at, block, len, err);
	}
	if (r == 0)
		return finish_stream(&s, err);
	if (s.stream)
		(void)virStreamAbort(s.stream);
	free_stream(&s.stream);
	return r;
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
