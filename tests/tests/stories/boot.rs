//! Whole machines, from power-on with empty disks to `active`: real firmware, a real kernel, the real Ignition, our agent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pilotlight_tests::daemon::Builder;
use pilotlight_tests::demo::fleet::{Member, fleet};
use pilotlight_tests::rack::Namespace;
use pilotlight_tests::rack::{Accel, Machine, accel, image};
use pilotlight_types::api::{self, ConsoleLine, List, Outcome, Phase};
use reqwest::Method;
use serde_json::{Value, json};

use crate::capture::{Capture, tokens};
use crate::net::{Net, SERVER};
use crate::rig::{Plan, document, file_ref, refused, skipped, subnet};

/// Where the image is kept from run to run.
fn cache() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache");
    std::env::var_os("PILOTLIGHT_IMAGE_CACHE").map_or(repository, PathBuf::from)
}

/// The image, a profile, its group, and these machines.
pub fn site(members: &[Member]) -> Result<Vec<Value>> {
    let made = image::ensure(&cache())?;
    let image = json!({
        "os": "fedora-coreos", "arch": "x86_64", "version": made.version, "ignition": "3.3.0",
        "kernel": file_ref(&made.kernel.path)?, "initrd": [file_ref(&made.initramfs.path)?], "rootfs": file_ref(&made.rootfs.path)?,
    });
    let butane = "variant: fcos\nversion: 1.4.0\nstorage:\n  files:\n  - path: /etc/motd\n    mode: 0640\n    overwrite: true\n    contents: {inline: \"this is {{ machine.name }}\\n\"}\n";
    let profile = json!({"image": "live", "boot": "live", "kernelArgs": ["console=ttyS0", "pilotlight.emergency=5"], "butane": butane});
    let mut documents = vec![
        subnet("rack", "10.77.0", "ignore"),
        document("Image", "live", image),
        document("Profile", "live", profile),
        document("Group", "all", json!({"profile": "live"})),
    ];
    documents.extend(members.iter().map(|member| {
        let spec = json!({"macs": [member.spec.mac], "uuid": member.spec.uuid, "serial": member.spec.serial});
        document("Machine", &member.name, spec)
    }));
    Ok(documents)
}

/// A daemon with an agent to hand out, on a network of its own.
pub async fn start(name: &str, documents: &[Value], change: impl FnOnce(Builder) -> Builder) -> Result<Net> {
    let rack = Namespace::create(name, Some(format!("{SERVER}/24").parse()?))?;
    let plan = Plan::new()?.with(|builder| change(builder.inside(&rack, SERVER).with_agent()));
    let rig = plan.start().await?;
    rig.admin.apply(documents).await?;
    Ok(Net { rig, rack })
}

/// How long a boot may take here.
pub fn patience(accel: Accel) -> Duration {
    Duration::from_secs(40) * accel.patience()
}

/// Powers the machines on, in the daemon's network.
pub fn power_on(net: &Net, members: &[Member], accel: Accel) -> Result<Vec<Machine>> {
    let build = |member: &Member| {
        let mut machine = member.virtual_machine(accel).build(&net.rack, net.rig.folder.path())?;
        machine.power_on()?;
        Ok(machine)
    };
    members.iter().map(build).collect()
}

/// The facts are those of the machine that QEMU was told to make.
fn facts_are_true(found: &api::Machine, member: &Member) -> Result<()> {
    let facts = found.facts.as_ref().context("there are no facts")?;
    let spec = &member.spec;
    assert_eq!(facts.system.vendor.as_deref(), Some(spec.vendor.as_str()));
    assert_eq!(facts.system.product.as_deref(), Some(spec.product.as_str()));
    assert_eq!(facts.system.serial.as_deref(), Some(spec.serial.as_str()));
    assert_eq!(facts.system.uuid, Some(spec.uuid));
    assert_eq!(facts.cpus.threads, spec.cpus);
    let usable = facts.memory.usable_bytes.context("no memory")?;
    assert!(
        usable > spec.memory_bytes * 8 / 10 && usable <= spec.memory_bytes,
        "{usable} of {}",
        spec.memory_bytes
    );
    let nic = facts.nics.iter().find(|nic| nic.mac == spec.mac).context("the NIC is not there")?;
    assert!(nic.booted && nic.link == Some(true) && nic.driver.as_deref() == Some("virtio_net"), "{nic:?}");
    for disk in &spec.disks {
        let there = facts.disks.iter().find(|found| found.serial.as_deref() == Some(disk.serial.as_str()));
        assert_eq!(there.context("a disk is not there")?.size_bytes, disk.bytes);
    }
    Ok(())
}

/// One timeline, in order, with what was served.
fn timeline_is_whole(found: &api::Machine, member: &Member) -> Result<()> {
    let boot = found.boot.as_ref().context("there is no boot")?;
    assert_eq!(boot.outcome, Some(Outcome::Active));
    // iPXE in the NIC's ROM needs no boot program; everything else is there, each after the one before it.
    let rom = member.firmware() == "BIOS";
    let expected: Vec<Phase> =
        Phase::ALL.into_iter().filter(|phase| !rom || *phase != Phase::BootProgram).collect();
    let seen: Vec<Phase> = boot.phases.iter().map(|record| record.phase).collect();
    assert_eq!(seen, expected, "{}", member.name);
    assert!(boot.phases.windows(2).all(|pair| pair[0].started <= pair[1].started), "{:?}", boot.phases);
    for phase in [Phase::Kernel, Phase::Initramfs, Phase::Rootfs] {
        let served = boot.phase(phase).context("a phase is not there")?;
        assert!(served.bytes > 1 << 20 && served.ended.is_some(), "{served:?}");
    }
    Ok(())
}

/// The profile's kernel speaks to the daemon from early on, by netconsole.
fn with_netconsole(mut documents: Vec<Value>) -> Result<Vec<Value>> {
    let profile = documents.iter_mut().find(|document| document["kind"] == "Profile").context("a profile")?;
    let butane = profile["spec"]["butane"].as_str().context("Butane")?;
    let unit = "systemd:
  units:
  - name: netconsole.service
    enabled: true
    contents: |
      [Unit]
      Wants=network-online.target
      After=network-online.target
      Before=pilotlight-agent.service
      [Service]
      Type=oneshot
      ExecStart=/bin/sh -c 'modprobe netconsole netconsole=@/$$(ls /sys/class/net | grep -v lo | head -n 1),514@10.77.0.1/'
      ExecStart=/bin/sh -c 'echo \"<3>Pilotlight is told\" >/dev/kmsg'
      [Install]
      WantedBy=multi-user.target
";
    profile["spec"]["butane"] = json!(format!("{butane}{unit}"));
    Ok(documents)
}

/// What the kernel said by netconsole stands with the boot.
async fn the_kernel_is_heard(net: &Net, name: &str) -> Result<()> {
    let boot = net.rig.admin.machine(name).await?.boot.context("there is no boot")?.id;
    let said: List<ConsoleLine> = net.rig.admin.get(&format!("/boots/{boot}/console")).await?;
    let lines: String = said.items.iter().map(|line| format!("{line}\n")).collect();
    ensure!(lines.contains("Pilotlight is told"), "{name} said:\n{lines}");
    Ok(())
}

#[tokio::test]
async fn machines_power_on_bare_and_end_active_and_their_secrets_reach_nobody_else() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let accel = accel::choose()?.accel;
    let members = fleet(2);
    let syslog = |builder: Builder| builder.set("syslog.listen", "0.0.0.0:514");
    let net = start("itboot", &with_netconsole(site(&members)?)?, syslog).await?;
    let capture = Capture::start(&net.rack, net.rig.folder.path(), "tcp port 8080")?;
    let mut machines = power_on(&net, &members, accel)?;
    for member in &members {
        let found = net.rig.admin.wait_for(&member.name, "active", patience(accel)).await?;
        facts_are_true(&found, member)?;
        timeline_is_whole(&found, member)?;
        the_kernel_is_heard(&net, &member.name).await?;
    }
    // The config was applied: Ignition's files are there, and the machine has its name.
    for (machine, member) in machines.iter_mut().zip(&members) {
        machine.wait_for("root@", patience(accel)).await?;
        let from = machine.console().mark();
        machine.type_line("cat /etc/hostname /etc/motd; stat -c 'mode %a' /etc/motd /etc/pilotlight/agent.json; cat /proc/cmdline; echo told-$((40 + 2))")?;
        machine.wait_for_from(from, "told-42", Duration::from_secs(20)).await?;
        let said: String = machine.lines().iter().map(|line| format!("{}\n", line.text)).collect();
        assert!(said.contains(&format!("this is {}", member.name)), "{said}");
        assert!(said.contains("mode 640") && said.contains("mode 600"), "{said}");
        assert!(!said.contains("Bearer"), "no token is on the kernel command line");
    }
    // The one-time tokens, as they crossed the wire, are nowhere else, and are good for nothing any more.
    let tokens = tokens(&capture.stop()?);
    ensure!(tokens.len() >= members.len(), "one token for each boot: {tokens:?}");
    let database = std::fs::read(net.rig.daemon.data_dir().join("pilotlight.db"))?;
    let journal = std::fs::read(net.rig.daemon.data_dir().join("pilotlight.db-wal")).unwrap_or_default();
    let serials: String = machines.iter().flat_map(Machine::lines).map(|line| line.text).collect();
    for token in &tokens {
        let holds = |bytes: &[u8]| bytes.windows(token.len()).any(|part| part == token.as_bytes());
        assert!(!holds(&database) && !holds(&journal), "a token is in the database");
        assert!(!net.rig.daemon.log().contains(token), "a token is in the log");
        assert!(!serials.contains(token), "a token is on a console");
    }
    let boot = net.rig.admin.machine("n1").await?.boot.context("n1 has a boot")?.id;
    let path = format!("/agent/v1/boots/{boot}/ignition");
    for token in &tokens {
        let thief = net.rig.daemon.client_with(Some(token))?;
        assert_eq!(thief.request(Method::GET, &path, &[], None).await?.status, 403);
    }
    let events = net.rig.admin.events(0).await?;
    assert!(
        events.iter().any(|event| event.kind == "token.refused" && event.boot == Some(boot)),
        "it is an event"
    );
    let _ = refused::<Value>(
        net.rig.daemon.client_with(tokens.first().map(String::as_str))?.get("/machines").await,
    );
    Ok(())
}

#[tokio::test]
async fn a_boot_goes_on_though_the_daemon_is_killed_at_every_step_of_it() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let accel = accel::choose()?.accel;
    let members = &fleet(2)[1..];
    let [member] = members else { unreachable!("one machine") };
    let mut net = start("itkill", &site(members)?, |builder| builder).await?;
    let _machines = power_on(&net, members, accel)?;
    let mut first = None;
    for phase in [Phase::Dhcp, Phase::Script, Phase::Kernel, Phase::Initramfs, Phase::Rootfs, Phase::Ignition]
    {
        let reached =
            |machine: &api::Machine| machine.boot.as_ref().and_then(api::Boot::furthest) >= Some(phase);
        let found =
            net.rig.admin.wait_until(&member.name, &format!("at {phase}"), patience(accel), reached).await?;
        let boot = found.boot.context("there is a boot")?;
        let (id, address) = *first.get_or_insert((boot.id, boot.address));
        // A machine may well give up and start over; what it was told before stays true.
        if boot.id == id {
            assert_eq!(boot.address, address, "the address that was given is still its own");
        }
        let told = net.rig.admin.events(0).await?;
        net.rig.daemon.restart().await?;
        let after = net.rig.admin.events(0).await?;
        assert!(after.starts_with(&told), "what was told of is still so, after a kill at {phase}");
    }
    let found = net.rig.admin.wait_for(&member.name, "active", patience(accel) * 2).await?;
    facts_are_true(&found, member)?;
    let (id, _) = first.context("there was a boot")?;
    let boots = net.rig.admin.boots(&member.name).await?;
    assert!(
        boots.iter().any(|boot| boot.id == id),
        "the boot that was begun before the first kill is still there"
    );
    let events = net.rig.admin.events(0).await?;
    assert!(events.iter().any(|event| event.kind == "boot.started" && event.boot == Some(id)));
    assert!(events.windows(2).all(|pair| pair[0].seq < pair[1].seq), "and so is its history");
    Ok(())
}

#[tokio::test]
async fn a_machine_boots_from_postgresql() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let accel = accel::choose()?.accel;
    let members = &fleet(2)[1..];
    let database = crate::postgres::database()?;
    let net = start("itpg", &site(members)?, |builder| builder.set("database.url", database)).await?;
    let _machines = power_on(&net, members, accel)?;
    for member in members {
        let found = net.rig.admin.wait_for(&member.name, "active", patience(accel)).await?;
        facts_are_true(&found, member)?;
        timeline_is_whole(&found, member)?;
    }
    Ok(())
}
