/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of installed packages: the first byte says whose. 'n' is a database of rpm's format ndb, 'h' the header in one. What was read can be written as a note, and reads the same when it is of words
 * and lines.
 */
#include <assert.h>
#include <string.h>

#include "../unit/ndb_fixture.h"
#include "compose/apk.h"
#include "compose/copyright.h"
#include "compose/rpm_ndb.h"
#include "compose/rpmdb.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct installed *l)
{
	_cleanup_installed_ struct installed back = {0};
	_cleanup_buf_ struct buf note = {0};
	struct error err = ERROR_INIT;

	installed_note(l, &note);
	if (installed_parse(note.ptr, "note", &back, &err) == 0)
		assert(back.len == l->len);
}

static int list_ndb(const char *data, size_t len, struct installed *ret, struct error *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r = rpm_ndb_text(data, len, "fuzz", &text, err);

	return r < 0 ? r : rpmdb_parse(text.ptr ? text.ptr : "", text.len, "fuzz", ret, err);
}

static int list_header(const char *data, size_t len, struct installed *ret, struct error *err)
{
	_cleanup_buf_ struct buf db = {0};

	ndb_of(data, len, &db);
	return list_ndb(db.ptr, db.len, ret, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_installed_ struct installed l = {0}, notes = {0};
	_cleanup_free_ char *text = NULL, *licenses = NULL;
	struct error err = ERROR_INIT;
	int r = 0;

	if (len == 0)
		return 0;
	text = xmemdup(data + 1, len - 1); /* without a 0 behind it */
	if (*data == 'c')
		licenses = copyright_licenses(text, len - 1);
	else if (*data == 'r')
		r = rpmdb_parse(text, len - 1, "fuzz", &l, &err);
	else if (*data == 'n')
		r = list_ndb(text, len - 1, &l, &err);
	else if (*data == 'h')
		r = list_header(text, len - 1, &l, &err);
	else if (*data == 'p')
		(void)apk_begins(text, len - 1);
	else
		r = apk_parse(text, len - 1, "fuzz", &l, &err);
	if (licenses)
		assert(*licenses && !strchr(licenses, '\n'));
	if (r == 0) {
		check(&l);
		installed_sort(&l);
		installed_join(&l, &notes);
		check(&l);
	}
	return 0;
}
