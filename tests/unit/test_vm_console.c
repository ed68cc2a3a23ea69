/* SPDX-License-Identifier: Apache-2.0 */
/* The console: lines out of untrusted bytes, records, the kernel's last words. */
#include "unit.h"

#include "vm/console.h"

/* What came, one line each: "KIND EVENT|TEXT". */
static void collect(const struct console_line *line, void *data)
{
	static const char kinds[] = "TRCPDS";

	strlist_addf(data, "%c%s|%s", kinds[line->kind], line->event ? line->event : "", line->text);
	/* The record and its event come together. */
	assert_true((line->kind == CONSOLE_RECORD) == (line->record != NULL));
}

static void feed(const char *bytes, size_t len, size_t piece, struct strlist *ret)
{
	_cleanup_console_ struct console *c = console_new(collect, ret);

	for (size_t i = 0; i < len; i += piece)
		console_feed(c, bytes + i, piece < len - i ? piece : len - i);
	console_end(c);
}

/* Each text gives the same lines whole and byte by byte. */
static void expect(const char *bytes, size_t len, const char *const *want)
{
	for (size_t piece = len ? len : 1; piece; piece = piece > 1 ? 1 : 0) {
		_cleanup_strlist_ struct strlist got = {0};
		size_t n = 0;

		feed(bytes, len, piece, &got);
		for (; want[n]; n++) {
			assert_true(n < got.len);
			assert_string_equal(got.ptr[n], want[n]);
		}
		assert_int_equal(got.len, n);
	}
}

#define EXPECT(text, ...) expect(text, sizeof(text) - 1, (const char *const[]){__VA_ARGS__, NULL})

static void test_lines(void **state)
{
	(void)state;
	expect("", 0, (const char *const[]){NULL});
	expect("\r\n\n\0\n", 5, (const char *const[]){NULL});
	EXPECT("one\r\ntwo\n\nthree", "T|one", "T|two", "T|three");
	EXPECT("a\tb\x07\x7f"
	       "c  \n",
	       "T|a bc");
}

/* What OVMF and a terminal's user send: cursor movements end a line, everything else vanishes. */
static void test_escapes(void **state)
{
	(void)state;
	EXPECT("\x1b[2J\x1b[01;01H\x1b[=3h\x1b[0m\x1b[35mBdsDxe\x1b[0m: loading\r\n", "T|BdsDxe: loading");
	EXPECT("left\x1b[02;01Hright\n", "T|left", "T|right");
	EXPECT("\x1b]0;title\x07text\x1bP1;2\x1b\\ more\n", "T|text more");
	EXPECT("\x1b(Bx\x1b=y\n", "T|xy");
	/* A sequence that breaks off swallows no line behind it. */
	EXPECT("\x1b[12\nmkappliance: {\"event\": \"init\"}\n", "Rinit|mkappliance: {\"event\": \"init\"}");
	EXPECT("\x1b]0;never ends\nnext\n", "T|next");
	EXPECT("a\x1bPb\nnext\n", "T|a", "T|next");
	EXPECT("a\x1bPb\x1b\nnext\n", "T|a", "T|next");
	EXPECT("a\x1b\nnext\n", "T|a", "T|next");
	/* A terminal takes U+009B for ESC [. */
	EXPECT("a\xc2\x9b"
	       "2J \xc3\xa9\n",
	       "T|a??2J \xc3\xa9");
	expect("a\0b\0\n", 5, (const char *const[]){"T|ab", NULL});
}

static void test_records(void **state)
{
	(void)state;
	EXPECT("mkappliance: {\"event\": \"ready\", \"t\": 1.5}\n",
	       "Rready|mkappliance: {\"event\": \"ready\", \"t\": 1.5}");
	/* Behind the firmware's escape sequences, without a newline of their own. */
	EXPECT("\x1b[01;01Hmkappliance: {\"event\":\"init\"}\r\n", "Rinit|mkappliance: {\"event\":\"init\"}");
	/* None of these is one. */
	EXPECT("app: mkappliance: {\"event\":\"ready\"}\n", "T|app: mkappliance: {\"event\":\"ready\"}");
	EXPECT(" mkappliance: {\"event\":\"ready\"}\n", "T| mkappliance: {\"event\":\"ready\"}");
	EXPECT("mkappliance: {\"event\":\"ready\"\n", "T|mkappliance: {\"event\":\"ready\"");
	EXPECT("mkappliance: {\"event\":1}\n", "T|mkappliance: {\"event\":1}");
	EXPECT("mkappliance: {\"t\":1}\n", "T|mkappliance: {\"t\":1}");
	EXPECT("mkappliance: [\"event\"]\n", "T|mkappliance: [\"event\"]");
	EXPECT("mkappliance: {\"event\":\"init\"} x\n", "T|mkappliance: {\"event\":\"init\"} x");
	EXPECT("mkappliance: {\"event\":\"init\",\"event\":\"ready\"}\n",
	       "T|mkappliance: {\"event\":\"init\",\"event\":\"ready\"}");
}

static void test_kernel(void **state)
{
	(void)state;
	EXPECT("[    1.25] device-mapper: verity: 254:2: data block 17 is corrupted\n",
	       "C|[    1.25] device-mapper: verity: 254:2: data block 17 is corrupted");
	EXPECT("device-mapper: verity: 254:2: metadata block 3 is corrupted\n",
	       "C|device-mapper: verity: 254:2: metadata block 3 is corrupted");
	EXPECT("[    2.0] Kernel panic - not syncing: dm-verity device corrupted\n",
	       "P|[    2.0] Kernel panic - not syncing: dm-verity device corrupted");
	/* An application may say what it likes. */
	EXPECT("app: Kernel panic - not syncing\n", "T|app: Kernel panic - not syncing");
	EXPECT("app: device-mapper: verity: x is corrupted\n",
	       "T|app: device-mapper: verity: x is corrupted");
	EXPECT("device-mapper: verity: sha256 using implementation\n",
	       "T|device-mapper: verity: sha256 using implementation");
}

/* EDK II's words, as it says them. */
static void test_firmware(void **state)
{
	(void)state;
	EXPECT("\x1b[=3hBdsDxe: failed to load Boot0001 \"UEFI Misc Device\" from PciRoot(0x0): Access Denied\r\n",
	       "D|BdsDxe: failed to load Boot0001 \"UEFI Misc Device\" from PciRoot(0x0): Access Denied");
	EXPECT("BdsDxe: failed to load Boot0001 \"UEFI Misc Device\" from PciRoot(0x0): Not Found\r\n",
	       "T|BdsDxe: failed to load Boot0001 \"UEFI Misc Device\" from PciRoot(0x0): Not Found");
	EXPECT("BdsDxe: starting Boot0002 \"EFI Internal Shell\" from Fv(7CB8BDC9)\r\n",
	       "S|BdsDxe: starting Boot0002 \"EFI Internal Shell\" from Fv(7CB8BDC9)");
	EXPECT("BdsDxe: starting Boot0001 \"UEFI Misc Device\" from PciRoot(0x0)\r\n",
	       "T|BdsDxe: starting Boot0001 \"UEFI Misc Device\" from PciRoot(0x0)");
	EXPECT("!!!! X64 Exception Type - 0E(#PF - Page-Fault)  CPU Apic ID - 00000000 !!!!\r\n",
	       "S|!!!! X64 Exception Type - 0E(#PF - Page-Fault)  CPU Apic ID - 00000000 !!!!");
	EXPECT("| !!!! X64 Exception Type\n", "T|| !!!! X64 Exception Type");
}

/* A line without end costs one line of memory, and is never a record. */
static void test_long_line(void **state)
{
	_cleanup_strlist_ struct strlist got = {0};
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	buf_printf(&b, "mkappliance: {\"event\":\"ready\",\"x\":\"");
	for (size_t i = 0; i < 3 * CONSOLE_LINE_MAX; i++)
		buf_add(&b, "y", 1);
	buf_printf(&b, "\"}\nshort\n");
	feed(b.ptr, b.len, 100, &got);
	assert_int_equal(got.len, 2);
	assert_int_equal(strlen(got.ptr[0]), 2 + CONSOLE_LINE_MAX);
	assert_int_equal(got.ptr[0][0], 'T');
	assert_string_equal(got.ptr[1], "T|short");
}

static void test_tail(void **state)
{
	_cleanup_console_ struct console *c = console_new(NULL, NULL);
	_cleanup_strlist_ struct strlist few = {0}, all = {0}, none = {0};

	(void)state;
	console_tail(c, 5, &none);
	assert_int_equal(none.len, 0);
	for (int i = 0; i < 100; i++) {
		char text[16];

		snprintf(text, sizeof(text), "line %d\n", i);
		console_feed(c, text, strlen(text));
	}
	console_tail(c, 2, &few);
	assert_int_equal(few.len, 2);
	assert_string_equal(few.ptr[0], "line 98");
	assert_string_equal(few.ptr[1], "line 99");
	console_tail(c, SIZE_MAX, &all);
	assert_int_equal(all.len, CONSOLE_TAIL);
	assert_string_equal(all.ptr[0], "line 60");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),	 cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_records),	 cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_firmware), cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_tail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
