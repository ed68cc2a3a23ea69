/* SPDX-License-Identifier: Apache-2.0 */
/* A cloud's answers: the first byte says which parser, the rest is the text. ISO 9660: a disk whose front is zero up to the
 * descriptor. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../firstboot/iso9660.h"
#include "../../firstboot/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void env(const char *text, size_t len)
{
	const char *list[METADATA_ENV_MAX + 1];
	struct line why = {.len = 0};
	size_t count = 0;
	char *copy = malloc(len + 1);

	if (!copy)
		abort();
	memcpy(copy, text, len);
	if (metadata_parse_env(copy, len, list, &count, &why) == 0 &&
	    (count > METADATA_ENV_MAX || list[count]))
		abort();
	free(copy);
}

static void iso(const char *bytes, size_t len)
{
	struct iso9660 i;
	char buf[512];
	size_t got = 0;
	int fd = memfd_create("iso", MFD_CLOEXEC);

	if (fd < 0 || pwrite(fd, bytes, len, 32768) != (ssize_t)len)
		abort();
	if (iso9660_open(fd, "cidata", &i) == 0 &&
	    iso9660_read(fd, &i, "meta-data", buf, sizeof(buf), &got) == 0 && got > sizeof(buf))
		abort();
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data + 1, *value = NULL;
	char name[METADATA_HOST_MAX + 1];
	size_t n = 0;

	if (len < 1)
		return 0;
	len--;
	if (*data == 'h')
		(void)metadata_http(text, len, true, &value, &n);
	else if (*data == 'j')
		(void)metadata_json(text, len, "hostname", &value, &n);
	else if (*data == 'y')
		(void)metadata_yaml(text, len, "hostname", &value, &n);
	else if (*data == 'n')
		(void)metadata_hostname(text, len, name);
	else if (*data == 'e')
		env(text, len);
	else if (*data == 'i')
		iso(text, len);
	if (value && (value < text || n > len || value + n > text + len))
		abort();
	return 0;
}
