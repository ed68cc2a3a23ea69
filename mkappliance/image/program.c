/* SPDX-License-Identifier: Apache-2.0 */
#include "image/program.h"

#include <elf.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

#define PROGRAM_HEADERS_MAX 128
#define INTERPRETER_MAX	    256 /* the kernel takes no longer line of a script (BINPRM_BUF_SIZE) */

/* The loader or interpreter that @path names. */
static int need_interpreter(const struct tree *tree, const char *path, const char *interpreter,
			    const char *advice, struct error *err)
{
	const struct tree_entry *e = *interpreter == '/' ? tree_resolve(tree, interpreter) : NULL;

	if (!e || !S_ISREG(e->mode) || !(e->mode & 0111))
		return error_usage(err, "'%s' needs '%s', which is not in the image; %s", path, interpreter,
				   advice);
	return 0;
}

/* "#!INTERPRETER [ARGUMENT]". */
static int check_script(const struct tree *tree, const char *path, char *line, struct error *err)
{
	char *start = line + strspn(line, " \t");

	start[strcspn(start, " \t\r\n")] = 0;
	return need_interpreter(tree, path, start, "add the interpreter's package", err);
}

static int check_loader(const struct tree *tree, const struct tree_entry *e, const char *path,
			const Elf64_Phdr *ph, struct error *err)
{
	char loader[INTERPRETER_MAX] = "";
	int r;

	if (ph->p_filesz == 0 || ph->p_filesz >= sizeof(loader) || ph->p_offset > e->size ||
	    ph->p_filesz > e->size - ph->p_offset)
		return error_usage(err, "'%s' is a damaged ELF program: its loader's name lies outside",
				   path);
	r = tree_read(tree, e, ph->p_offset, loader, ph->p_filesz, err);
	if (r < 0)
		return r;
	return need_interpreter(tree, path, loader,
				"link the program statically or add its libraries' packages", err);
}

/* @head is the start of the file, @e->size is at least its size. */
static int check_elf(const struct tree *tree, const struct tree_entry *e, const char *path,
		     const Elf64_Ehdr *head, enum architecture arch, struct error *err)
{
	unsigned machine = arch == ARCH_ARM64 ? EM_AARCH64 : EM_X86_64;
	uint64_t table = (uint64_t)head->e_phnum * sizeof(Elf64_Phdr);
	Elf64_Phdr ph[PROGRAM_HEADERS_MAX];
	int r;

	if (head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB ||
	    head->e_phentsize != sizeof(Elf64_Phdr))
		return 0;
	if (head->e_machine != machine)
		return error_usage(
			err, "'%s' is a program for another machine (ELF machine %u) than Architecture=%s",
			path, head->e_machine, architecture_name(arch));
	if (head->e_phnum > PROGRAM_HEADERS_MAX || head->e_phoff > e->size || table > e->size - head->e_phoff)
		return error_usage(err, "'%s' is a damaged ELF program: its program headers lie outside",
				   path);
	r = tree_read(tree, e, head->e_phoff, ph, table, err);
	for (unsigned i = 0; r >= 0 && i < head->e_phnum; i++)
		if (ph[i].p_type == PT_INTERP)
			return check_loader(tree, e, path, &ph[i], err);
	return r;
}

static int check_content(const struct tree *tree, const struct tree_entry *e, const char *path,
			 enum architecture arch, struct error *err)
{
	union {
		Elf64_Ehdr elf;
		char text[INTERPRETER_MAX];
	} head = {0};
	size_t len = e->size < sizeof(head) - 1 ? e->size : sizeof(head) - 1;
	int r = tree_read(tree, e, 0, &head, len, err);

	if (r < 0)
		return r;
	if (memcmp(head.text, "#!", 2) == 0)
		return check_script(tree, path, head.text + 2, err);
	if (len >= sizeof(head.elf) && memcmp(head.elf.e_ident, ELFMAG, SELFMAG) == 0)
		return check_elf(tree, e, path, &head.elf, arch, err);
	return 0;
}

int program_check(const struct tree *tree, const char *path, const struct account *account,
		  enum architecture arch, struct error *err)
{
	const struct tree_entry *e = tree_resolve(tree, path);

	if (!e)
		return error_usage(err, "'%s' is not in the image; add its package or a [Files] Copy=", path);
	if (!S_ISREG(e->mode))
		return error_usage(err, "'%s' is not a regular file in the image", path);
	if (!account_may_execute(account, e))
		return error_usage(
			err, "'%s' has mode %04o and owner %u:%u in the image, so user %u cannot run it",
			path, (unsigned)(e->mode & 07777), (unsigned)e->uid, (unsigned)e->gid, account->uid);
	return check_content(tree, e, path, arch, err);
}
