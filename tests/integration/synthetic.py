# SPDX-License-Identifier: Apache-2.0
"""What synthetic.sh gives to the build: synthetic.py DIR writes DIR/appliance.conf and all that it names."""
import os, struct, sys

top = sys.argv[1]
RELEASE = "6.1.0-test"
EPOCH = 1600000000
MODULES = """drivers/md/dm-mod drivers/md/dm-bufio drivers/md/dm-verity lib/reed_solomon/reed_solomon drivers/virtio/virtio
drivers/virtio/virtio_ring drivers/virtio/virtio_pci drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci_legacy_dev
drivers/block/virtio_blk drivers/scsi/virtio_scsi drivers/scsi/sd_mod drivers/scsi/scsi_mod drivers/scsi/scsi_common
drivers/nvme/host/nvme drivers/nvme/host/nvme-core drivers/net/virtio_net drivers/net/net_failover net/core/failover
drivers/net/ethernet/amazon/ena/ena fs/ext4/ext4 fs/jbd2/jbd2 fs/mbcache lib/crc16 crypto/crc32c_generic
drivers/ata/ahci drivers/ata/libahci drivers/ata/libata drivers/xen/xen-blkfront drivers/net/xen-netfront
drivers/hv/hv_vmbus drivers/scsi/hv_storvsc drivers/net/hyperv/hv_netvsc net/packet/af_packet""".split()


def noise(length, seed):
    out = bytearray()
    while len(out) < length:
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        out += struct.pack("<I", seed)
    return bytes(out[:length])


def write(path, data, mode=0o644):
    path = os.path.join(top, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)


def pe(code):
    """The least that is an EFI program for x86-64, with the mark of a systemd-stub."""
    code += bytes(-len(code) % 512)
    sections = [(b".sdmagic", 0x1000, 0x400, b"#### LoaderInfo: systemd-stub 252 ####".ljust(512, b"\0")), (b".text", 0x2000, 0x600, code)]
    image = 0x2000 + (len(code) + 4095) // 4096 * 4096
    h = bytearray(0x400)
    h[0:2] = b"MZ"
    struct.pack_into("<I", h, 0x3C, 0x80)
    struct.pack_into("<4sHHIIIHH", h, 0x80, b"PE", 0x8664, len(sections), 0, 0, 0, 240, 0x22E)
    o = 0x98
    struct.pack_into("<H", h, o, 0x20B)
    struct.pack_into("<II", h, o + 16, 0x2000, 0x2000)
    struct.pack_into("<II", h, o + 32, 0x1000, 0x200)
    struct.pack_into("<II", h, o + 56, image, 0x400)
    struct.pack_into("<H", h, o + 68, 10)
    struct.pack_into("<I", h, o + 108, 16)
    for i, (name, address, offset, data) in enumerate(sections):
        struct.pack_into("<8sIIII12xI", h, o + 240 + 40 * i, name, len(data), address, len(data), offset, 0x60000020)
    return bytes(h) + b"".join(s[3] for s in sections)


write("stub.efi", pe(noise(3000, 1)))
write("vmlinuz", pe(noise(700001, 2)))
write("init", b"\x7fELF" + noise(20000, 3), 0o755)
write(f"modules/{RELEASE}/modules.dep", b"")
write(f"modules/{RELEASE}/modules.builtin", "".join(f"kernel/{m}.ko\n" for m in MODULES).encode())
for name in "modules.alias", "modules.softdep", "modules.symbols", "modules.order":
    write(f"modules/{RELEASE}/{name}", b"")

write("base/usr/bin/application", b"\x7fELF" + noise(1500000, 4), 0o755)
write("base/usr/share/empty", b"")
write("base/usr/share/zeros", bytes(300000))
write("base/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/:/bin/false\n")
write("base/etc/group", b"root:x:0:\napp:x:1000:\n")
for i in range(300):
    write(f"base/srv/many/file-{i:03}", noise(i * 37, i))
os.symlink("usr/bin", os.path.join(top, "base/bin"))
os.link(os.path.join(top, "base/srv/many/file-100"), os.path.join(top, "base/srv/many/link-100"))
write("page", b"a page\n")

with open(os.path.join(top, "appliance.conf"), "w") as f:
    f.write(f"""[Appliance]
Name=synthetic
Version=1.0
Epoch={EPOCH}

[Base]
Source=directory
Path=base

[Files]
Copy=page:/srv/page mode=0640 owner=app group=app

[Kernel]
Image=vmlinuz
ModulesDirectory=modules/{RELEASE}
Stub=stub.efi
CommandLine=console=ttyS0

[Init]
Mode=appliance
Exec=/usr/bin/application --flag
User=app
""")

# Modes and times of the host must not matter where the template says them; here they are said by the files.
for root, dirs, files in os.walk(top, topdown=False):
    for name in files + dirs:
        path = os.path.join(root, name)
        if os.path.isdir(path) and not os.path.islink(path):
            os.chmod(path, 0o755)
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
os.chmod(top, 0o755)
