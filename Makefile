# SPDX-License-Identifier: Apache-2.0
#
#   make                      the tool and the init, in build/
#   make tests                what the tests run, too
#   make check                unit tests and fuzz corpora
#   make install              DESTDIR= PREFIX=/usr/local
#   make uninstall            with the same DESTDIR= and PREFIX=
#   make clean                removes build/
#   make help                 this
#
# Options:
#   V=1                show the commands
#   SAN=1              AddressSanitizer and UndefinedBehaviorSanitizer, objects in build/san
#   WERROR=1           warnings are errors (CI sets it)
#   WITH_GUESTFS=0     without libguestfs: no 'inspect', no Source=disk
#   WITH_LIBVIRT=0     without libvirt: no 'boot', no 'test', no 'upload --to libvirt', no local groups ('deploy' and what goes with it)
# User flags always come last: make CFLAGS=-O0 LDFLAGS=...

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/lib/mkappliance
MANDIR     ?= $(PREFIX)/share/man
DATADIR    ?= $(PREFIX)/share/mkappliance

WITH_GUESTFS ?= 1
WITH_LIBVIRT ?= 1
SAN          ?= 0
WERROR       ?= 0
V            ?= 0

B := build$(if $(filter 1,$(SAN)),/san)$(if $(filter 0,$(WITH_GUESTFS)),/no-guestfs)$(if $(filter 0,$(WITH_LIBVIRT)),/no-libvirt)
Q := $(if $(filter 1,$(V)),,@)
silent := $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
say = $(if $(filter 1,$(V))$(silent),@:,@printf '  %-7s %s\n' $(1) $(2))

CC         ?= cc
MUSL_CC    ?= musl-gcc
PKG_CONFIG ?= pkg-config
INSTALL    ?= install
CFLAGS     ?= -O2 -g

# ---- libraries, and the Debian package that has each ----
PKGS := ext2fs com_err libarchive zlib fdisk libcrypto jansson libcurl libxml-2.0 yaml-0.1
DEBS := libext2fs-dev libarchive-dev zlib1g-dev libfdisk-dev libssl-dev libjansson-dev libcurl4-openssl-dev libxml2-dev libyaml-dev
ifeq ($(WITH_LIBVIRT),1)
PKGS += libvirt libvirt-qemu
DEBS += libvirt-dev
endif
ifeq ($(WITH_GUESTFS),1)
PKGS += libguestfs
DEBS += libguestfs-dev
endif

# Not needed to clean up or to ask for help.
ifneq ($(filter-out clean help uninstall,$(or $(MAKECMDGOALS),all)),)
ifeq ($(shell command -v $(PKG_CONFIG)),)
$(error $(PKG_CONFIG) is not there. Run scripts/setup, or: apt-get install pkg-config)
endif
missing := $(foreach p,$(PKGS),$(if $(shell $(PKG_CONFIG) --exists $(p) && echo y),,$(p)))
ifneq ($(strip $(missing)),)
$(error pkg-config does not find: $(missing). Run scripts/setup, or: apt-get install $(DEBS))
endif
ifeq ($(shell command -v $(MUSL_CC)),)
$(error $(MUSL_CC) is not there (the init is static). Run scripts/setup, or: apt-get install musl-tools)
endif
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS))
PKG_LIBS   := $(shell $(PKG_CONFIG) --libs $(PKGS))
endif

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wundef -Wwrite-strings -Wcast-qual -Wswitch-enum -Wnull-dereference -Wimplicit-fallthrough
ifeq ($(WERROR),1)
WARN += -Werror
endif
ifeq ($(SAN),1)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

DEFS := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	$(if $(filter 1,$(WITH_GUESTFS)),-DWITH_GUESTFS) $(if $(filter 1,$(WITH_LIBVIRT)),-DWITH_LIBVIRT)
ALL_CFLAGS  = -std=gnu11 -pthread -fstack-protector-strong $(WARN) $(DEFS) -Imkappliance $(PKG_CFLAGS) $(SANFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(SANFLAGS) $(LDFLAGS)
ALL_LIBS    = $(PKG_LIBS) $(LIBS)

# musl-gcc looks into musl's headers only; those of the kernel's interface come after them.
KERNEL_HEADERS := -idirafter /usr/include $(addprefix -idirafter /usr/include/,$(shell $(CC) -print-multiarch 2>/dev/null))
INIT_CFLAGS  = -std=gnu11 -Os -g0 -static -fno-stack-protector -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
	$(WARN) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Imkappliance -Ifirstboot $(KERNEL_HEADERS)
INIT_LDFLAGS = -static -s -Wl,--gc-sections -Wl,--build-id=none

# ---- sources ----
SRC := $(wildcard mkappliance/*.c mkappliance/*/*.c)
ifeq ($(WITH_LIBVIRT),0)
SRC := $(filter-out mkappliance/vm/%.c mkappliance/cmd_boot.c mkappliance/cmd_test.c mkappliance/cmd_upload_libvirt%.c mkappliance/cmd_verify_libvirt.c mkappliance/cmd_group%.c \
	mkappliance/cmd_keeper%.c $(patsubst %,mkappliance/cmd_aws_%.c,check create fleet follow group image set status swap swap_end) mkappliance/cmd_look.c mkappliance/cmd_deploy%.c mkappliance/cmd_status.c mkappliance/cmd_rollback.c mkappliance/cmd_drill%.c,$(SRC))
endif
ifeq ($(WITH_GUESTFS),0)
SRC := $(filter-out mkappliance/check/inspect.c mkappliance/cmd_inspect.c mkappliance/compose/disk_guest%.c \
	mkappliance/compose/disk_clean.c,$(SRC))
endif
OBJ  := $(SRC:%.c=$(B)/obj/%.o)
LIB  := $(filter-out $(B)/obj/mkappliance/main.o,$(OBJ))
INIT_SRC := $(wildcard firstboot/*.c)

TEST_SRC := $(wildcard tests/unit/test_*.c)
ifeq ($(WITH_LIBVIRT),0)
TEST_SRC := $(filter-out tests/unit/test_vm_%.c,$(TEST_SRC))
endif
TESTS    := $(TEST_SRC:tests/unit/%.c=$(B)/tests/%)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
ifeq ($(WITH_LIBVIRT),0)
FUZZ_SRC := $(filter-out tests/fuzz/fuzz_console.c tests/fuzz/fuzz_balancer.c,$(FUZZ_SRC))
endif
FUZZ     := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)

all: $(B)/mkappliance $(B)/mkappliance-init $(B)/hello

# The objects depend on the flags they were made with.
FLAGS_NOW := $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(ALL_LIBS) $(MUSL_CC) $(INIT_CFLAGS)
$(B)/flags: force
	$(Q)mkdir -p $(B)
	$(Q)printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' > $@

# Where it will be installed only these know: another PREFIX compiles them again, and nothing else.
PLACED := $(B)/obj/mkappliance/cmd_new.o $(B)/obj/mkappliance/image/boot.o
$(PLACED): DEFS += -DLIBEXECDIR='"$(LIBEXECDIR)"'
$(PLACED): $(B)/place
$(B)/place: force
	$(Q)mkdir -p $(B)
	$(Q)printf '%s\n' '$(LIBEXECDIR)' | cmp -s - $@ || printf '%s\n' '$(LIBEXECDIR)' > $@

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/mkappliance: $(OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(OBJ) $(ALL_LIBS)

$(B)/mkappliance-init: $(INIT_SRC) $(wildcard firstboot/*.h) mkappliance/image/abi.h $(B)/flags
	$(call say,MUSL,$@)
	$(Q)$(MUSL_CC) $(INIT_CFLAGS) $(INIT_LDFLAGS) -o $@ $(INIT_SRC)

# The web server of templates/hello.
$(B)/hello: templates/hello/hello.c $(B)/flags
	$(call say,MUSL,$@)
	$(Q)$(MUSL_CC) $(INIT_CFLAGS) $(INIT_LDFLAGS) -o $@ $<

# ---- tests ----
# Each program is linked with what it uses: with all of it the links would take longer than the compiler.
ARCHIVE := $(B)/obj/mkappliance.a
$(ARCHIVE): $(LIB)
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcs --thin $@ $^

$(B)/tests/%: $(B)/obj/tests/unit/%.o $(ARCHIVE)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVE) $(ALL_LIBS) -lcmocka

# The init's parts, compiled for the host and tested without the tool's rooms: both sides have names such as console_open().
INIT_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(filter-out firstboot/init.c,$(INIT_SRC)))
INIT_LIB := $(INIT_OBJ) $(filter $(B)/obj/mkappliance/lib/%,$(LIB))

# (Static rules: to a pattern with objects that are not made yet make would prefer the general one.)
$(filter $(B)/tests/test_firstboot_%,$(TESTS)): $(B)/tests/%: $(B)/obj/tests/unit/%.o $(INIT_LIB)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(INIT_LIB) $(ALL_LIBS) -lcmocka

# A fuzz target has LLVMFuzzerTestOneInput; here it is linked with a main that replays files. scripts/fuzz links libFuzzer's instead.
FUZZ_MAIN := $(B)/obj/tests/fuzz/replay.o

$(filter $(B)/fuzz/fuzz_firstboot_%,$(FUZZ)): $(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(FUZZ_MAIN) $(INIT_LIB)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(FUZZ_MAIN) $(INIT_LIB) $(ALL_LIBS)

# Parts of the init as programs that run on the host, in namespaces: what they say goes to standard output, and what would
# end the machine ends them.
HOST_SRC := $(filter-out tests/host/host.c,$(wildcard tests/host/*.c))
HOST     := $(HOST_SRC:tests/host/%.c=$(B)/host/%)
HOST_LIB := $(filter-out %/end.o %/console.o,$(INIT_LIB)) $(B)/obj/tests/host/host.o

$(HOST): $(B)/host/%: $(B)/obj/tests/host/%.o $(HOST_LIB)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(HOST_LIB) $(ALL_LIBS)

# Programs of the integration tests that call the tool's own functions.
CALLS := $(patsubst tests/calls/%.c,$(B)/calls/%,$(wildcard tests/calls/*.c))

$(B)/calls/%: $(B)/obj/tests/calls/%.o $(ARCHIVE)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVE) $(ALL_LIBS)

$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(FUZZ_MAIN) $(ARCHIVE)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(FUZZ_MAIN) $(ARCHIVE) $(ALL_LIBS)

fuzz: $(FUZZ)

tests: all $(TESTS) $(FUZZ) $(HOST) $(CALLS)

check: tests
	$(Q)scripts/unit $(B)

# In quotes: a DESTDIR with a blank in it would be two, and uninstall would remove the first.
install: all
	$(INSTALL) -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(LIBEXECDIR)" "$(DESTDIR)$(DATADIR)" "$(DESTDIR)$(MANDIR)/man1" "$(DESTDIR)$(MANDIR)/man5"
	$(INSTALL) -m 755 $(B)/mkappliance "$(DESTDIR)$(BINDIR)/mkappliance"
	$(INSTALL) -m 755 $(B)/mkappliance-init "$(DESTDIR)$(LIBEXECDIR)/mkappliance-init"
	$(INSTALL) -m 755 $(B)/hello "$(DESTDIR)$(LIBEXECDIR)/hello"
	$(INSTALL) -m 644 mkappliance/image/manifest.schema.json "$(DESTDIR)$(DATADIR)/manifest.schema.json"
	$(INSTALL) -m 644 mkappliance/man/mkappliance.1 "$(DESTDIR)$(MANDIR)/man1/mkappliance.1"
	$(INSTALL) -m 644 mkappliance/man/appliance.conf.5 "$(DESTDIR)$(MANDIR)/man5/appliance.conf.5"

uninstall:
	rm -f "$(DESTDIR)$(BINDIR)/mkappliance" "$(DESTDIR)$(LIBEXECDIR)/mkappliance-init" "$(DESTDIR)$(LIBEXECDIR)/hello"
	rm -f "$(DESTDIR)$(DATADIR)/manifest.schema.json" "$(DESTDIR)$(MANDIR)/man1/mkappliance.1" "$(DESTDIR)$(MANDIR)/man5/appliance.conf.5"
	rmdir "$(DESTDIR)$(LIBEXECDIR)" "$(DESTDIR)$(DATADIR)" 2>/dev/null || true

clean:
	rm -rf build

help:
	@sed -n '/^#   /s/^#   /  /p' Makefile

force:

-include $(OBJ:.o=.d) $(INIT_OBJ:.o=.d) $(patsubst tests/%.c,$(B)/obj/tests/%.d,$(wildcard tests/unit/*.c tests/fuzz/*.c tests/host/*.c tests/calls/*.c))

.PHONY: all tests fuzz check install uninstall clean help force
.DELETE_ON_ERROR:
.SECONDARY:
