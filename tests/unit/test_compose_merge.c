/* SPDX-License-Identifier: Apache-2.0 */
/* Layers over layers: overlayfs' rules, dpkg's, and what must not be possible. */
#include "compose_fixture.h"

/* Merges layers (each a list of members), and gives the tree as text; the flags are of all but the lowest. */
static char *merge_text(const struct member *const *layers, size_t count, unsigned flags)
{
	_cleanup_merge_ struct merge *m = merge_new();
	_cleanup_tree_ struct tree *t = NULL;
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < count; i++) {
		struct layer l = layer_from(layers[i]);

		if (merge_layer(m, &l, (unsigned)i, i ? flags : 0, &err) < 0)
			fail_msg("%s", err.text);
	}
	t = merge_finish(m, 1);
	return tree_text(t);
}

#define assert_merge(flags, expected, ...)                                                \
	do {                                                                              \
		const struct member *const layers_[] = {__VA_ARGS__};                     \
		_cleanup_free_ char *text =                                               \
			merge_text(layers_, sizeof(layers_) / sizeof(layers_[0]), flags); \
		assert_string_equal(text, expected);                                      \
	} while (0)

static void assert_refused(const struct member *low, const struct member *high, const char *message)
{
	_cleanup_merge_ struct merge *m = merge_new();
	struct layer l = layer_from(low), h = layer_from(high);
	struct error err = ERROR_INIT;

	assert_int_equal(merge_layer(m, &l, 0, 0, &err), 0);
	assert_true(merge_layer(m, &h, 1, MERGE_KEEP_LINKS, &err) < 0);
	assert_contains(err.text, "test.tar: member '");
	assert_contains(err.text, message);
}

static const struct member nothing[] = {{.path = NULL}};

static void test_replaces(void **state)
{
	static const struct member low[] = {
		{.path = "dir", .type = '5', .mode = 0700},
		{.path = "dir/a", .data = "low"},
		{.path = "dir/b", .data = "low"},
		{.path = "file", .data = "low"},
		{.path = "gone", .type = '5'},
		{.path = "gone/below", .data = "x"},
		{.path = NULL},
	};
	static const struct member high[] = {
		{.path = ".", .type = '5', .mode = 0700}, {.path = "dir", .type = '5', .mode = 0711},
		{.path = "dir/a", .data = "high"},	  {.path = "file", .type = '5'},
		{.path = "file/in", .data = "in"},	  {.path = "gone", .data = "a file"},
		{.path = "new/deep/file", .data = "n"},	  {.path = NULL},
	};

	(void)state;
	/*
	 * The root keeps the mode of the base, made directories are root's, directories take the upper's
	 * mode.
	 */
	assert_merge(0,
		     "/ 40755 0:0 n1\n"
		     "/dir 40711 0:0 n1\n"
		     "/dir/a 100644 0:0 n1 4 bytes high\n"
		     "/dir/b 100644 0:0 n1 3 bytes low\n"
		     "/file 40755 0:0 n1\n"
		     "/file/in 100644 0:0 n1 2 bytes in\n"
		     "/gone 100644 0:0 n1 6 bytes a file\n"
		     "/new 40755 0:0 n1\n"
		     "/new/deep 40755 0:0 n1\n"
		     "/new/deep/file 100644 0:0 n1 1 bytes n\n",
		     low, high);
}

static void test_later_member_wins(void **state)
{
	static const struct member list[] = {
		{.path = "a", .data = "1"}, {.path = "a", .data = "22"},
		{.path = "b", .type = '5'}, {.path = "b/c"},
		{.path = "b", .data = "f"}, {.path = NULL},
	};

	(void)state;
	assert_merge(0,
		     "/ 40755 0:0 n1\n"
		     "/a 100644 0:0 n1 2 bytes 22\n"
		     "/b 100644 0:0 n1 1 bytes f\n",
		     list);
}

static void test_whiteouts(void **state)
{
	static const struct member low[] = {
		{.path = "a/1"}, {.path = "a/2"}, {.path = "b/1"}, {.path = "b/sub/2"},
		{.path = "c"},	 {.path = "d"},	  {.path = "e/1"}, {.path = NULL},
	};
	static const struct member high[] = {
		{.path = "a/.wh.1"},
		/* Only what is below goes, wherever the mark stands. */
		{.path = "b/new"},
		{.path = "b/.wh..wh..opq"},
		{.path = "b/late"},
		{.path = "c", .type = '3', .major = 0, .minor = 0},
		/* overlayfs: one device for all of them. */
		{.path = "d", .type = '1', .link = "c"},
		{.path = ".wh.e"},
		{.path = "e/2"},
		{.path = ".wh..wh.plnk"},
		{.path = ".wh.never-was"},
		{.path = NULL},
	};

	(void)state;
	assert_merge(0,
		     "/ 40755 0:0 n1\n"
		     "/a 40755 0:0 n1\n"
		     "/a/2 100644 0:0 n1 0 bytes \n"
		     "/b 40755 0:0 n1\n"
		     "/b/late 100644 0:0 n1 0 bytes \n"
		     "/b/new 100644 0:0 n1 0 bytes \n"
		     "/e 40755 0:0 n1\n"
		     "/e/2 100644 0:0 n1 0 bytes \n",
		     low, high);
	assert_refused(nothing, (const struct member[]){{.path = "a/.wh."}, {.path = NULL}},
		       "whiteout of nothing");
	assert_refused(nothing, (const struct member[]){{.path = ".wh..."}, {.path = NULL}},
		       "whiteout of nothing");
	assert_refused(nothing, (const struct member[]){{.path = ".wh.d", .type = '5'}, {.path = NULL}},
		       "is not a file");
}

static void test_no_whiteouts(void **state)
{
	static const struct member low[] = {{.path = "a"}, {.path = NULL}};
	static const struct member high[] = {{.path = ".wh.a"}, {.path = NULL}};

	(void)state;
	assert_merge(MERGE_NO_WHITEOUTS,
		     "/ 40755 0:0 n1\n"
		     "/.wh.a 100644 0:0 n1 0 bytes \n"
		     "/a 100644 0:0 n1 0 bytes \n",
		     low, high);
}

static void test_hard_links(void **state)
{
	static const struct member low[] = {
		{.path = "b", .data = "shared"},
		{.path = "c", .type = '1', .link = "b"},
		{.path = "d", .type = '1', .link = "c"},
		{.path = NULL},
	};
	/* One name is replaced, another comes from above; a link to itself changes nothing. */
	static const struct member high[] = {
		{.path = "c", .data = "alone"},
		{.path = "a/first", .type = '1', .link = "d"},
		{.path = "d", .type = '1', .link = "d"},
		{.path = NULL},
	};

	(void)state;
	assert_merge(0,
		     "/ 40755 0:0 n1\n"
		     "/a 40755 0:0 n1\n"
		     "/a/first 100644 0:0 n3 6 bytes shared\n"
		     "/b 100644 0:0 n3 = /a/first\n"
		     "/c 100644 0:0 n1 5 bytes alone\n"
		     "/d 100644 0:0 n3 = /a/first\n",
		     low, high);
	assert_refused(nothing,
		       (const struct member[]){{.path = "a", .type = '1', .link = "b"}, {.path = NULL}},
		       "hard link to 'b', which is not there");
	assert_refused((const struct member[]){{.path = "b", .type = '5'}, {.path = NULL}},
		       (const struct member[]){{.path = "a", .type = '1', .link = "b"}, {.path = NULL}},
		       "which is a directory");
	/* The link would replace the directory that its file is in: nothing would be left to link to. */
	assert_refused(
		(const struct member[]){{.path = "d/deep/f", .data = "x"}, {.path = NULL}},
		(const struct member[]){{.path = "d", .type = '1', .link = "d/deep/f"}, {.path = NULL}},
		"is a hard link to 'd/deep/f', which lies below it");
}

/* usr-merge: a package that still says lib/ lands where the link of the base leads. */
static void test_links_to_directories(void **state)
{
	static const struct member low[] = {
		{.path = "abs", .type = '2', .link = "/usr/lib"},
		{.path = "lib", .type = '2', .link = "usr/lib"},
		{.path = "usr/lib", .type = '5'},
		{.path = NULL},
	};
	static const struct member high[] = {
		{.path = "lib", .type = '5', .mode = 0700},
		{.path = "lib/x", .data = "x"},
		{.path = "lib/y", .type = '1', .link = "lib/x"},
		{.path = "abs/z", .data = "z"},
		{.path = NULL},
	};

	(void)state;
	assert_merge(MERGE_KEEP_LINKS,
		     "/ 40755 0:0 n1\n"
		     "/abs 120644 0:0 n1 -> /usr/lib\n"
		     "/lib 120644 0:0 n1 -> usr/lib\n"
		     "/usr 40755 0:0 n1\n"
		     "/usr/lib 40755 0:0 n1\n"
		     "/usr/lib/x 100644 0:0 n2 1 bytes x\n"
		     "/usr/lib/y 100644 0:0 n2 = /usr/lib/x\n"
		     "/usr/lib/z 100644 0:0 n1 1 bytes z\n",
		     low, high);
	/* Without the flag the directory takes the link's place, as in overlayfs. */
	assert_merge(0,
		     "/ 40755 0:0 n1\n"
		     "/abs 120644 0:0 n1 -> /usr/lib\n"
		     "/lib 40700 0:0 n1\n"
		     "/lib/x 100644 0:0 n2 1 bytes x\n"
		     "/lib/y 100644 0:0 n2 = /lib/x\n"
		     "/usr 40755 0:0 n1\n"
		     "/usr/lib 40755 0:0 n1\n"
		     "/usr/lib/z 100644 0:0 n1 1 bytes z\n",
		     low, high);
}

/* [Files] Copy= lines are layers of one number; what one of them brings is there for the next. */
static void test_link_of_an_earlier_pass(void **state)
{
	struct layer first = layer_from((const struct member[]){{.path = "real", .type = '5'},
								{.path = "link", .type = '2', .link = "real"},
								{.path = NULL}});
	struct layer second = layer_from((const struct member[]){{.path = "link/x"}, {.path = NULL}});
	_cleanup_merge_ struct merge *m = merge_new();
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(merge_layer(m, &first, 3, MERGE_KEEP_LINKS, &err), 0);
	assert_int_equal(merge_layer(m, &second, 3, MERGE_KEEP_LINKS, &err), 0);
	assert_true(merge_has(m, "real/x"));
}

static void test_keep_directories(void **state)
{
	static const struct member low[] = {{.path = "etc", .type = '5', .mode = 0711}, {.path = NULL}};
	static const struct member high[] = {
		{.path = "etc", .type = '5', .mode = 0777},
		{.path = "opt", .type = '5', .mode = 0700},
		{.path = NULL},
	};

	(void)state;
	assert_merge(MERGE_KEEP_DIRECTORIES,
		     "/ 40755 0:0 n1\n"
		     "/etc 40711 0:0 n1\n"
		     "/opt 40700 0:0 n1\n",
		     low, high);
}

static void test_refuses_escapes(void **state)
{
	static const struct member links[] = {
		{.path = "out", .type = '2', .link = "../../../../tmp"},
		{.path = "loop", .type = '2', .link = "loop"},
		{.path = "file", .data = "x"},
		{.path = NULL},
	};

	(void)state;
	/* "../../../../tmp" is /tmp of the tree, which is not there; were it, the file would lie in it. */
	assert_refused(links, (const struct member[]){{.path = "out/x"}, {.path = NULL}}, "leads nowhere");
	assert_refused(links, (const struct member[]){{.path = "loop/x"}, {.path = NULL}}, "leads nowhere");
	assert_refused(links, (const struct member[]){{.path = "file/x"}, {.path = NULL}}, "not a directory");
	assert_refused(nothing,
		       (const struct member[]){
			       {.path = "l", .type = '2', .link = "etc"}, {.path = "l/x"}, {.path = NULL}},
		       "through a symbolic link of the same archive");
	assert_refused((const struct member[]){{.path = "l", .type = '2', .link = "file"},
					       {.path = "file"},
					       {.path = NULL}},
		       (const struct member[]){{.path = "l/x"}, {.path = NULL}}, "not a directory");
}

static void test_link_is_clamped_to_the_tree(void **state)
{
	static const struct member low[] = {{.path = "out", .type = '2', .link = "../../../../tmp"},
					    {.path = "tmp", .type = '5'},
					    {.path = NULL}};
	static const struct member high[] = {{.path = "out/x", .data = "x"}, {.path = NULL}};

	(void)state;
	assert_merge(0,
		     "/ 40755 0:0 n1\n"
		     "/out 120644 0:0 n1 -> ../../../../tmp\n"
		     "/tmp 40755 0:0 n1\n"
		     "/tmp/x 100644 0:0 n1 1 bytes x\n",
		     low, high);
}

static void add_xattr(struct layer *l, size_t i, const char *name, const char *value)
{
	entry_set_xattr(l->entries[i].entry, xstrdup(name), xstrdup(value), strlen(value));
}

static void test_overlay_attributes(void **state)
{
	static const struct member low[] = {{.path = "d/old"}, {.path = NULL}};
	static const struct member high[] = {{.path = "d", .type = '5'}, {.path = "d/new"}, {.path = NULL}};
	_cleanup_merge_ struct merge *m = merge_new();
	_cleanup_tree_ struct tree *t = NULL;
	_cleanup_free_ char *text = NULL;
	struct layer l = layer_from(low), h = layer_from(high), bad = layer_from(high);
	struct error err = ERROR_INIT;

	(void)state;
	add_xattr(&h, 0, "trusted.overlay.opaque", "y");
	add_xattr(&h, 0, "user.mine", "kept");
	add_xattr(&h, 0, "user.overlay.origin", "");
	add_xattr(&bad, 0, "trusted.overlay.redirect", "/x");
	assert_int_equal(merge_layer(m, &l, 0, 0, &err), 0);
	assert_int_equal(merge_layer(m, &h, 1, 0, &err), 0);
	assert_true(merge_layer(m, &bad, 2, 0, &err) < 0);
	assert_contains(err.text, "redirect_dir");
	t = merge_finish(m, 1);
	text = tree_text(t);
	assert_string_equal(text, "/ 40755 0:0 n1\n"
				  "/d 40755 0:0 n1 user.mine=kept\n"
				  "/d/new 100644 0:0 n1 0 bytes \n");
}

static void test_finish(void **state)
{
	static const struct member low[] = {
		{.path = "a", .data = "12345"}, {.path = "b", .type = '1', .link = "a"}, {.path = NULL}};
	static const struct member high[] = {{.path = "c", .data = "123"}, {.path = NULL}};
	_cleanup_merge_ struct merge *m = merge_new();
	_cleanup_tree_ struct tree *t = NULL;
	struct layer l = layer_from(low), h = layer_from(high);
	struct error err = ERROR_INIT;

	(void)state;
	l.entries[0].entry->mtime = -5;
	h.entries[0].entry->mtime = 2000;
	assert_int_equal(merge_layer(m, &l, 0, 0, &err), 0);
	assert_int_equal(merge_layer(m, &h, 7, 0, &err), 0);
	t = merge_finish(m, 1000);
	assert_int_equal(t->bytes, 8);
	assert_int_equal(t->source_count, 2);
	assert_int_equal(tree_find(t, "")->mtime, 1000);
	assert_int_equal(tree_find(t, "a")->mtime, -5);
	assert_int_equal(tree_find(t, "c")->mtime, 1000);
	assert_int_equal(tree_find(t, "a")->layer, 0);
	assert_int_equal(tree_find(t, "c")->layer, 7);
	assert_int_equal(tree_find(t, "b")->size, 5);
}

/* "PREFIX/n.../n..." of @len bytes. */
static char *long_path(const char *prefix, size_t len)
{
	char *path = xcalloc(1, len + 1);

	memset(path, 'n', len);
	for (size_t i = strlen(prefix); i < len; i += 200)
		path[i] = '/';
	memcpy(path, prefix, strlen(prefix));
	return path;
}

/* Below a link to a directory of 3000 bytes: a path of 4095, and @more. */
static int merge_deep(size_t more, struct error *err)
{
	_cleanup_free_ char *low = long_path("d", 3000), *high = long_path("up", 1095 + strlen("up") + more);
	_cleanup_buf_ struct buf tar = {0}, over = {0};
	_cleanup_merge_ struct merge *m = merge_new();
	struct layer l = LAYER_INIT, h = LAYER_INIT;
	int r;

	tar_add_pax(&tar, 'x', "path", low);
	tar_add(&tar, &(struct member){.path = "x", .type = '5'});
	tar_add_pax(&tar, 'x', "linkpath", low);
	tar_add(&tar, &(struct member){.path = "up", .type = '2', .link = "x"});
	tar_end(&tar);
	tar_add_pax(&over, 'x', "path", high);
	tar_add(&over, &(struct member){.path = "x", .data = "x"});
	tar_end(&over);
	assert_int_equal(layer_of(&tar, &l, err), 0);
	assert_int_equal(layer_of(&over, &h, err), 0);
	assert_int_equal(merge_layer(m, &l, 0, 0, err), 0);
	r = merge_layer(m, &h, 1, 0, err);
	return r;
}

/* Each layer could go deeper, by a link of the one below, than anything that follows the tree. */
static void test_depth(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(merge_deep(0, &err), 0);
	assert_true(merge_deep(1, &err) < 0);
	assert_contains(err.text, "goes through symbolic links to a path of more than 4095 bytes");
}

/* The first file below a directory: what a file system over it hides. */
static void test_first_file(void **state)
{
	static const struct member files[] = {
		{.path = "a/dir", .type = '5'},		  {.path = "a/link", .type = '2', .link = "/b/file"},
		{.path = "b/c/file", .data = "x"},	  {.path = "b/z", .data = "x"},
		{.path = "to", .type = '2', .link = "b"}, {.path = NULL}};
	struct layer l = layer_from(files);
	_cleanup_merge_ struct merge *m = merge_new();
	_cleanup_free_ char *first = NULL, *through = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(merge_layer(m, &l, 0, 0, &err), 0);
	first = merge_first_file(m, "/b");
	through = merge_first_file(m, "to/c");
	assert_string_equal(first, "c/file");
	assert_string_equal(through, "file");
	assert_null(merge_first_file(m, "a"));
	assert_null(merge_first_file(m, "b/z"));
	assert_null(merge_first_file(m, "nowhere"));
}

/* Removal by name, and look-up through links, while merging. */
static void test_look_up(void **state)
{
	static const struct member low[] = {
		{.path = "lib", .type = '2', .link = "usr/lib"},
		{.path = "usr/lib/modules/1/x", .data = "x"},
		{.path = "usr/lib/modules/2/x"},
		{.path = NULL},
	};
	_cleanup_merge_ struct merge *m = merge_new();
	_cleanup_strlist_ struct strlist names = {0};
	_cleanup_free_ char *real = NULL;
	_cleanup_free_ void *data = NULL;
	struct layer l = layer_from(low);
	struct error err = ERROR_INIT;
	size_t len;

	(void)state;
	assert_int_equal(merge_layer(m, &l, 0, 0, &err), 0);
	real = merge_real_path(m, "/lib/modules/1");
	assert_string_equal(real, "usr/lib/modules/1");
	merge_list(m, "lib/modules", &names);
	assert_int_equal(names.len, 2);
	assert_int_equal(merge_read(m, "lib/modules/1/x", 10, &data, &len, &err), 0);
	assert_string_equal(data, "x");
	assert_int_equal(merge_read(m, "lib/none", 10, &data, &len, &err), -ENOENT);
	merge_remove(m, "lib/modules/1");
	assert_null(merge_find(m, "usr/lib/modules/1"));
	merge_remove(m, "lib");
	assert_null(merge_find(m, "lib"));
	assert_non_null(merge_find(m, "usr/lib/modules/2/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replaces),
		cmocka_unit_test(test_later_member_wins),
		cmocka_unit_test(test_whiteouts),
		cmocka_unit_test(test_no_whiteouts),
		cmocka_unit_test(test_hard_links),
		cmocka_unit_test(test_links_to_directories),
		cmocka_unit_test(test_link_of_an_earlier_pass),
		cmocka_unit_test(test_keep_directories),
		cmocka_unit_test(test_refuses_escapes),
		cmocka_unit_test(test_link_is_clamped_to_the_tree),
		cmocka_unit_test(test_overlay_attributes),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_first_file),
		cmocka_unit_test(test_look_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
