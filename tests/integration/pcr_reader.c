/* SPDX-License-Identifier: Apache-2.0 */
/* The application of tests/integration/trust.sh: prints the PCRs of the machine's TPM and the firmware's event log. */
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#define LOG "/sys/kernel/security/tpm0/binary_bios_measurements"

static void print_pcrs(const char *bank)
{
	for (int i = 0; i < 24; i++) {
		char path[64], value[128];
		FILE *f;

		snprintf(path, sizeof(path), "/sys/class/tpm/tpm0/pcr-%s/%d", bank, i);
		f = fopen(path, "r");
		if (f && fgets(value, sizeof(value), f)) {
			value[strcspn(value, "\n")] = 0;
			printf("PCR %s:%d %s\n", bank, i, value);
		}
		if (f)
			fclose(f);
	}
}

int main(void)
{
	unsigned char bytes[64];
	FILE *f;
	size_t n;

	if (mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL) < 0)
		perror("securityfs");
	print_pcrs("sha256");
	print_pcrs("sha384");
	f = fopen(LOG, "r");
	if (!f) {
		perror(LOG);
		return 1;
	}
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0) {
		printf("LOG ");
		for (size_t i = 0; i < n; i++)
			printf("%02x", bytes[i]);
		putchar('\n');
	}
	fclose(f);
	return 0;
}
