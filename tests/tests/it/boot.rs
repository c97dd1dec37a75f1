//! Whole machines: real firmware, the real kernel, real Ignition, our agent; from power-on to `active`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use pilotlight_tests::rack::accel::{self, Accel};
use pilotlight_tests::rack::{Disk, DiskBus, Firmware, ImagePaths, Machine, Namespace, Smbios, image};
use pilotlight_types::api::{Boot, Event, Machine as Known, Outcome, Phase};
use pilotlight_types::facts::FirmwareMode;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::sleep;

use crate::capture::{Capture, tokens};
use crate::rig::{Plan, Rig, document, skipped, subnet};
use crate::secrets::is_known;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const MIB: u64 = 1 << 20;
const UEFI_MAC: &str = "52:54:00:77:00:01";
const BIOS_MAC: &str = "52:54:00:77:00:02";

/// Machines that are emulated fill a small computer: one story at a time has some.
static ROOM: Mutex<()> = Mutex::const_new(());

/// A network with a daemon and the real image. Machines go first, then the daemon, then the network.
struct Hall {
    rig: Rig,
    rack: Namespace,
    accel: Accel,
    image: ImagePaths,
    _room: MutexGuard<'static, ()>,
}

impl Hall {
    async fn open(name: &str, plan: Plan) -> Result<Self> {
        let room = ROOM.lock().await;
        let image = image::ensure(&cache()?)?;
        let accel = accel::choose()?.accel;
        let rack = Namespace::create(name, Some(format!("{SERVER}/24").parse()?))?;
        let rig = plan.with(|builder| builder.inside(&rack, SERVER).with_agent()).start().await?;
        let hall = Self { rig, rack, accel, image, _room: room };
        hall.rig.admin.apply(&hall.documents()).await?;
        Ok(hall)
    }

    fn documents(&self) -> Vec<Value> {
        let file = |file: &image::ImageFile| json!({"url": file.path, "sha256": file.sha256});
        let image = json!({
            "os": "fedora-coreos", "arch": "x86_64", "version": self.image.version,
            "kernel": file(&self.image.kernel),
            "initrd": [file(&self.image.initramfs)],
            "rootfs": file(&self.image.rootfs),
        });
        let butane = "\
variant: fcos
version: 1.4.0
storage:
  files:
  - path: /etc/story/{{ machine.name }}.conf
    mode: 0640
    contents:
      inline: |
        {{ machine.name }} at {{ machine.ip }} in {{ machine.rack }} says {{ vars.word }}
passwd:
  users:
  - name: operator
    uid: 1234
";
        let profile =
            json!({"image": "live", "boot": "live", "kernelArgs": ["console=ttyS0"], "butane": butane});
        vec![
            subnet("rack", "10.77.0", "ignore"),
            document("Image", "live", image),
            document("Profile", "worker", profile),
            document("Group", "all", json!({"profile": "worker", "variables": {"word": "hello"}})),
        ]
    }

    fn machine(&self, name: &str, firmware: Firmware, mac: &str) -> Result<Machine> {
        Machine::builder(name, self.accel, firmware, mac.parse()?).build(&self.rack, self.rig.folder.path())
    }

    /// A time that is enough where the processor runs the machines itself, stretched where they are emulated.
    fn patience(&self, seconds: u64) -> Duration {
        Duration::from_secs(seconds) * self.accel.patience()
    }

    async fn active(&self, name: &str) -> Result<Known> {
        self.rig.admin.wait_for(name, "active", self.patience(60)).await
    }
}

/// Where the image is kept between runs.
fn cache() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("PILOTLIGHT_CACHE") {
        return Ok(given.into());
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    Ok(workspace.join(".cache"))
}

/// What a command prints, on the console of a machine that is up.
async fn asked(machine: &mut Machine, command: &str) -> Result<String> {
    for _ in 0..10 {
        let mark = machine.console().mark();
        machine.type_line(&format!("echo \"@@$({command} | base64 -w0)@@\""))?;
        let mut answer = None;
        for _ in 0..50 {
            sleep(Duration::from_millis(200)).await;
            let lines = machine.lines();
            answer = lines.iter().skip(mark).find_map(|line| {
                let (_, rest) = line.text.split_once("@@").filter(|_| !line.text.contains("$("))?;
                rest.split_once("@@").map(|(answer, _)| answer.to_owned())
            });
            if answer.is_some() {
                break;
            }
        }
        if let Some(text) = answer.and_then(|answer| BASE64.decode(answer).ok()) {
            return Ok(String::from_utf8_lossy(&text).trim_end().to_owned());
        }
    }
    anyhow::bail!("no answer to `{command}` on the console:\n{}", machine.console().tail(20))
}

/// One timeline, with all of its phases in their order, each begun after the one before, with what it brought.
fn has_all_phases(boot: &Boot, boot_program: bool, hall: &Hall) {
    let seen: Vec<Phase> = boot.phases.iter().map(|record| record.phase).collect();
    let wanted: Vec<Phase> =
        Phase::ALL.into_iter().filter(|phase| boot_program || *phase != Phase::BootProgram).collect();
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, wanted, "{}: {seen:?}", boot.machine);
    // The rootfs is fetched beside Ignition's config, whichever is first.
    let begun = |phase| boot.phase(phase).map(|record| record.started);
    for pair in wanted.windows(2).filter(|pair| !matches!(pair, [Phase::Rootfs, Phase::Ignition])) {
        assert!(begun(pair[0]) <= begun(pair[1]), "{} began after {}", pair[0], pair[1]);
    }
    let bytes = |phase| boot.phase(phase).map_or(0, |record| record.bytes);
    assert_eq!(bytes(Phase::Kernel), hall.image.kernel.bytes);
    assert_eq!(bytes(Phase::Initramfs), hall.image.initramfs.bytes);
    assert_eq!(bytes(Phase::Rootfs), hall.image.rootfs.bytes);
    assert!(bytes(Phase::Ignition) > 1000);
    if boot_program {
        let program = std::fs::metadata("/usr/lib/ipxe/snponly.efi").map_or(0, |file| file.len());
        assert!(bytes(Phase::BootProgram) >= program, "{} of {program}", bytes(Phase::BootProgram));
    }
    assert!(boot.phases.iter().all(|record| record.ended.is_some_and(|ended| ended >= record.started)));
    assert_eq!(boot.outcome, Some(Outcome::Active));
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_with_uefi_and_with_bios_become_active_and_their_facts_are_true() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let hall = Hall::open("plboot", Plan::new()?).await?;
    let admin = &hall.rig.admin;
    let folder = hall.rig.folder.path();
    let uuid: uuid::Uuid = "4c4c4544-0000-1000-8000-525400770001".parse()?;
    let labels = json!({"role": "worker"});
    let mut uefi = document("Machine", "n1", json!({"macs": [UEFI_MAC], "rack": "r1", "ip": "10.77.0.51"}));
    let mut bios = document("Machine", "n2", json!({"macs": [BIOS_MAC], "rack": "r2"}));
    uefi["labels"] = labels.clone();
    bios["labels"] = labels;
    admin.apply(&[uefi, bios]).await?;

    let smbios = Smbios {
        vendor: "Pilotlight Works".into(),
        product: "Rack Server, second edition".into(),
        serial: "PL-0001".into(),
        uuid,
    };
    let disk = |bus, serial: &str, bytes| Disk { bus, serial: serial.into(), bytes };
    let mut n1 = Machine::builder("n1", hall.accel, Firmware::Uefi, UEFI_MAC.parse()?)
        .smbios(smbios)
        .cpus(2)
        .disk(disk(DiskBus::Virtio, "disk-virtio", 3 << 30))
        .disk(disk(DiskBus::Nvme, "disk-nvme", 5 << 30))
        .build(&hall.rack, folder)?;
    let second_nic = "52:54:00:77:00:12";
    let mut n2 = Machine::builder("n2", hall.accel, Firmware::Bios, BIOS_MAC.parse()?)
        .memory_mib(768)
        .nic(second_nic.parse()?)
        .disk(disk(DiskBus::Sata, "disk-sata", 2 << 30))
        .build(&hall.rack, folder)?;
    let capture = Capture::start(&hall.rack, folder, "tcp src port 8080")?;
    n1.power_on()?;
    n2.power_on()?;
    let (first, second) = (hall.active("n1").await?, hall.active("n2").await?);
    let crossed = tokens(&capture.stop()?);

    // What QEMU was given is what the agent found.
    let facts = first.facts.clone().context("no facts")?;
    assert_eq!(facts.system.vendor.as_deref(), Some("Pilotlight Works"));
    assert_eq!(facts.system.product.as_deref(), Some("Rack Server, second edition"));
    assert_eq!((facts.system.serial.as_deref(), facts.system.uuid), (Some("PL-0001"), Some(uuid)));
    assert_eq!(facts.system.firmware.mode, Some(FirmwareMode::Uefi));
    assert_eq!(facts.cpus.threads, 2);
    assert_eq!(facts.memory.installed_bytes, Some(1024 * MIB));
    let disks: Vec<_> = facts.disks.iter().map(|disk| (disk.serial.as_deref(), disk.size_bytes)).collect();
    assert_eq!(disks, [(Some("disk-nvme"), 5 << 30), (Some("disk-virtio"), 3 << 30)]);
    assert_eq!(facts.hostname.as_deref(), Some("n1"));
    let nic = facts.nics.iter().find(|nic| nic.booted).context("no NIC that booted")?;
    assert_eq!(
        (nic.mac, nic.driver.as_deref(), nic.link),
        (UEFI_MAC.parse()?, Some("virtio_net"), Some(true))
    );
    assert!(nic.addresses.iter().any(|address| address.to_string() == "10.77.0.51/24"), "{nic:?}");
    let facts = second.facts.clone().context("no facts")?;
    assert_eq!(facts.system.firmware.mode, Some(FirmwareMode::Bios));
    assert_eq!((facts.cpus.threads, facts.memory.installed_bytes), (1, Some(768 * MIB)));
    let disks: Vec<_> = facts.disks.iter().map(|disk| (disk.serial.as_deref(), disk.size_bytes)).collect();
    assert_eq!(disks, [(Some("disk-sata"), 2 << 30)]);
    let mut macs: Vec<String> = facts.nics.iter().map(|nic| format!("{} {}", nic.mac, nic.booted)).collect();
    macs.sort();
    assert_eq!(macs, [format!("{BIOS_MAC} true"), format!("{second_nic} false")]);

    // One boot each, one timeline.
    for (machine, boot_program) in [(&first, true), (&second, false)] {
        let boots = admin.boots(&machine.name).await?;
        assert_eq!(boots.len(), 1, "{} booted once: {boots:?}", machine.name);
        has_all_phases(&boots[0], boot_program, &hall);
        assert_eq!(machine.profile.as_ref().map(|p| (p.desired, p.running)), Some((1, Some(1))));
    }
    assert_eq!(first.boot.as_ref().and_then(|boot| boot.address), Some("10.77.0.51".parse()?));
    let shown = hall.rig.cli_ok(&["get", "machines"])?;
    assert_eq!(shown.matches(" active ").count(), 2, "{shown}");

    // The profile was applied, and nothing that is secret is where others can read it.
    assert!(crossed.len() >= 2, "the capture holds {} tokens", crossed.len());
    for (machine, name, address) in
        [(&mut n1, "n1", "10.77.0.51".to_owned()), (&mut n2, "n2", address(&second)?)]
    {
        assert_eq!(asked(machine, "cat /proc/sys/kernel/hostname").await?, name);
        let rack = if name == "n1" { "r1" } else { "r2" };
        let file = format!("/etc/story/{name}.conf");
        let expected = format!("{name} at {address} in {rack} says hello");
        assert_eq!(asked(machine, &format!("cat {file}")).await?, expected);
        assert_eq!(asked(machine, &format!("stat -c %a {file}")).await?, "640");
        assert_eq!(asked(machine, "id -u operator").await?, "1234");
        assert_eq!(asked(machine, "stat -c %a:%U /etc/pilotlight/agent.json").await?, "600:root");
        let agent: Value = serde_json::from_str(&asked(machine, "cat /etc/pilotlight/agent.json").await?)?;
        let agent = agent["token"].as_str().context("no token")?.to_owned();
        let line = asked(machine, "cat /proc/cmdline").await?;
        assert!(line.contains("coreos.live.rootfs_url=http://10.77.0.1:8080/boot/"), "{line}");
        let gone = asked(machine, "ls /config.ign /usr/lib/ignition/user.ign 2>/dev/null; true").await?;
        assert_eq!(gone, "", "the pointer is gone with the initramfs");
        let world =
            asked(machine, "find /run /etc /var/log -type f -perm -o+r -exec cat {} + 2>/dev/null").await?;
        for secret in crossed.iter().chain([&agent]) {
            assert!(!line.contains(secret.as_str()), "the kernel's command line holds a secret");
            assert!(!world.contains(secret.as_str()), "everybody on {name} can read a secret");
            assert_eq!(
                is_known(&hall.rig, secret).await?,
                None,
                "the daemon keeps a secret that it handed out"
            );
        }
    }
    // It goes on talking.
    let heard = admin.machine("n1").await?.seen;
    admin.wait_until("n1", "heard again", Duration::from_secs(60), |now| now.seen > heard).await?;
    Ok(())
}

fn address(machine: &Known) -> Result<String> {
    let address = machine.boot.as_ref().and_then(|boot| boot.address);
    address.map(|address| address.to_string()).context("no address")
}

/// Kills the daemon as soon as a phase is seen, and has it back within 2 s.
async fn killed_in(hall: &mut Hall, machine: &str, phase: Phase) -> Result<()> {
    let limit = hall.patience(60);
    hall.rig.admin.wait_until(machine, &format!("in {phase}"), limit, |now| begun(now, phase)).await?;
    let before = acknowledged(hall, machine).await?;
    hall.rig.daemon.kill()?;
    sleep(Duration::from_secs(1)).await;
    hall.rig.daemon.start().await?;
    let after = acknowledged(hall, machine).await?;
    assert_eq!(after.0, before.0, "the boot has the same id after {phase}");
    assert_eq!(after.1, before.1, "the same address");
    assert!(after.2.starts_with(&before.2), "events that were told are there after {phase}");
    Ok(())
}

fn begun(machine: &Known, phase: Phase) -> bool {
    machine.boot.as_ref().is_some_and(|boot| boot.ended.is_none() && boot.phase(phase).is_some())
}

type Acknowledged = (Option<String>, Option<Ipv4Addr>, Vec<Event>);

async fn acknowledged(hall: &Hall, machine: &str) -> Result<Acknowledged> {
    let boot = hall.rig.admin.machine(machine).await?.boot;
    let id = boot.as_ref().map(|boot| boot.id.to_string());
    Ok((id, boot.and_then(|boot| boot.address), hall.rig.admin.events(0).await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_becomes_active_however_often_the_daemon_is_killed_on_the_way() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let mut hall = Hall::open("plkills", Plan::new()?).await?;
    hall.rig.admin.apply(&[document("Machine", "n1", json!({"macs": [UEFI_MAC], "rack": "r1"}))]).await?;
    let mut n1 = hall.machine("n1", Firmware::Uefi, UEFI_MAC)?;
    n1.power_on()?;
    for phase in Phase::ALL {
        killed_in(&mut hall, "n1", phase).await?;
        if phase == Phase::Agent {
            break;
        }
    }
    let active = hall.active("n1").await.with_context(|| n1.console().tail(30))?;
    let boots = hall.rig.admin.boots("n1").await?;
    assert_eq!(boots.len(), 1, "the machine never had to start over: {boots:?}");
    assert_eq!(active.boot.and_then(|boot| boot.outcome), Some(Outcome::Active));
    assert!(active.facts.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_becomes_active_with_postgresql() -> Result<()> {
    if skipped("boot") || skipped("postgres") {
        return Ok(());
    }
    let url = crate::postgres::database()?;
    let plan = Plan::new()?.with(|builder| builder.set("database.url", url));
    let mut hall = Hall::open("plbootpg", plan).await?;
    hall.rig.admin.apply(&[document("Machine", "n1", json!({"macs": [BIOS_MAC], "rack": "r1"}))]).await?;
    let mut n1 = hall.machine("n1", Firmware::Bios, BIOS_MAC)?;
    n1.power_on()?;
    let active = hall.active("n1").await.with_context(|| n1.console().tail(30))?;
    let boot = active.boot.clone().context("no boot")?;
    has_all_phases(&boot, false, &hall);
    hall.rig.daemon.restart().await?;
    let kept = hall.rig.admin.machine("n1").await?;
    assert_eq!((kept.boot, kept.facts), (Some(boot.clone()), active.facts));

    // It is switched off and on: another boot, of the same profile, at the same address.
    n1.reset().await?;
    let again = hall
        .rig
        .admin
        .wait_until("n1", "active in another boot", hall.patience(60), |now| {
            now.boot.as_ref().is_some_and(|new| new.id != boot.id && new.outcome == Some(Outcome::Active))
        })
        .await?;
    assert_eq!(again.boot.and_then(|new| new.address), boot.address);
    assert_eq!(hall.rig.admin.boots("n1").await?.len(), 2);
    Ok(())
}
