#!/bin/bash
# dracut module: the initramfs of the live image, with an /init of its own.
# shellcheck disable=SC2154 # moddir, initdir and dracutbasedir are dracut's
check() { return 255; }

depends() { return 0; }

installkernel() {
    local kind names
    while read -r kind names; do
        # shellcheck disable=SC2086
        [[ $kind != initramfs ]] || hostonly='' instmods $names
    done <"$moddir/modules"
}

install() {
    local applet
    inst_simple "$moddir/init" /init
    inst_simple "$moddir/lease" /usr/lib/pilotlight-live/lease
    inst_simple "$dracutbasedir/modules.d/30ignition/ignition" /usr/bin/ignition
    inst_multiple busybox useradd usermod userdel groupadd groupdel
    for applet in cat chmod cp dd dmesg grep ip kill ln losetup ls mkdir modprobe mount mv od ps reboot rm sed setsid \
        cttyhack sh sha256sum sleep stat switch_root sync timeout touch tr udhcpc umount uname wc wget; do
        ln -sf busybox "$initdir/usr/bin/$applet"
    done
    inst_simple /etc/nsswitch.conf
    inst_simple /etc/passwd
    inst_simple /etc/group
    inst_simple /etc/login.defs
    inst_simple /etc/selinux/config
    inst_simple /etc/pilotlight-live-rootfs
    inst_libdir_file 'libnss_files.so*'
    # Debian's Ignition insists on relabelling for SELinux, which Debian does not use.
    printf '#!/bin/sh\ncat >/dev/null\n' >"$initdir/usr/sbin/setfiles"
    chmod 755 "$initdir/usr/sbin/setfiles"
    mkdir -p "$initdir"/{proc,sys,dev,run,tmp,sysroot}
    [[ -e $initdir/dev/console ]] || mknod -m 600 "$initdir/dev/console" c 5 1
    echo 'NAME="Pilotlight live initramfs"' >"$initdir/etc/initrd-release"
    ln -sf initrd-release "$initdir/etc/os-release"
}
