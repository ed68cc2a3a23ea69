/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the PCRs of the machine's TPM and the firmware's event log: the application of tests/integration/trust.sh, and in measured.sh an init
 * that refuses nothing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* As process 1 of an initrd there is nothing yet, not even somewhere to print to. */
static void be_init(void)
{
	mkdir("/dev", 0755);
	mkdir("/sys", 0755);
	if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		reboot(RB_POWER_OFF);
	dup2(open("/dev/console", O_RDWR), 1);
	dup2(1, 2);
}

static int print_all(void)
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

int main(void)
{
	int r;

	if (getpid() != 1)
		return print_all();
	be_init();
	r = print_all();
	fflush(NULL);
	reboot(RB_POWER_OFF);
	return r;
}
