//! `machine power`, `machine bmc`, `machine identify`.
use super::{
    MachineArgs, Output, Server,
    client::{Client, segment},
    table,
};
use anyhow::{Result, bail};
use pilotlight_types::api::{
    BmcLog, BmcStatus, BootDevice, IdentifyRequest, LogEntry, Machine, PowerAction, PowerRequest,
};
use std::time::Duration;

/// How often the server is asked, and for how long: longer than it tries itself.
const WAIT: (Duration, u32) = (Duration::from_secs(1), 35 * 60);

/// Reads an action.
pub(super) fn action(text: &str) -> Result<PowerAction, String> {
    let found = PowerAction::ALL.into_iter().find(|action| action.name() == text);
    found.ok_or_else(|| "one of on, off, soft, cycle and reset is expected".to_owned())
}

/// Reads a boot device.
pub(super) fn device(text: &str) -> Result<BootDevice, String> {
    let all = [BootDevice::Pxe, BootDevice::Http, BootDevice::Disk];
    let found = all.into_iter().find(|device| device.name() == text);
    found.ok_or_else(|| "one of pxe, http and disk is expected".to_owned())
}

/// Switches one machine.
pub(super) async fn switch(args: MachineArgs, request: PowerRequest, wait: bool) -> Result<()> {
    let client = Client::new(&args.server)?;
    let name = segment(args.name.as_deref().unwrap_or_default())?.to_owned();
    let asked: Machine = client.post(&format!("/machines/{name}/power"), &request).await?;
    if !wait {
        println!("{name}: `{}` is asked for; power is {}", request.action, asked.power);
        return Ok(());
    }
    let since = asked.power_wanted.map(|wanted| wanted.since);
    for _ in 0..WAIT.1 {
        let now: Machine = client.get(&format!("/machines/{name}"), &[]).await?;
        match (&now.power_wanted, &now.power_result) {
            // What was asked is not done yet.
            (Some(wanted), _) if Some(wanted.since) == since => {}
            (Some(wanted), _) => {
                bail!("{} asked for `{}` meanwhile: this is not wanted any more", wanted.by, wanted.action)
            }
            (None, Some(result)) => match &result.failed {
                None => {
                    println!("{name}: `{}` is done; power is {}", result.action, now.power);
                    return Ok(());
                }
                Some(why) => bail!("{name}: `{}` failed: {why}", result.action),
            },
            // It was done before we looked.
            (None, None) => return Ok(()),
        }
        tokio::time::sleep(WAIT.0).await;
    }
    bail!("{name}: `{}` goes on; `pilotlight get machine {name} -o json` shows it", request.action)
}

/// Shows a BMC, or its log.
pub(super) async fn bmc(name: &str, log: bool, output: Output, server: &Server) -> Result<()> {
    let (client, name) = (Client::new(server)?, segment(name)?);
    if log {
        let BmcLog { mut items } = client.get(&format!("/machines/{name}/bmc/log"), &[]).await?;
        items.reverse();
        match output {
            Output::Table => print_log(&items),
            Output::Json => println!("{}", serde_json::to_string_pretty(&items)?),
            Output::Yaml => print!("{}", serde_saphyr::to_string(&items)?),
        }
        return Ok(());
    }
    let status: BmcStatus = client.get(&format!("/machines/{name}/bmc"), &[]).await?;
    match output {
        Output::Table => print_status(&status),
        Output::Json => println!("{}", serde_json::to_string_pretty(&status)?),
        Output::Yaml => print!("{}", serde_saphyr::to_string(&status)?),
    }
    if let Some(problem) = status.problem {
        bail!("BMC {} of {name} did not answer: {problem}", status.address);
    }
    Ok(())
}

/// Switches the identify light.
pub(super) async fn identify(name: &str, lit: bool, server: &Server) -> Result<()> {
    let name = segment(name)?;
    Client::new(server)?
        .post_only(&format!("/machines/{name}/bmc/identify"), &IdentifyRequest { lit })
        .await?;
    println!("{name}: the identify light is {}", if lit { "lit" } else { "out" });
    Ok(())
}

fn print_status(status: &BmcStatus) {
    let BmcStatus { protocol, address, about, power, breaker, .. } = status;
    println!("BMC      {protocol} at {address}");
    if let Some(about) = about {
        println!("speaks   {about}");
    }
    println!("power    {power}");
    if breaker.open {
        let until = breaker.until.map(|until| format!(" until {until}")).unwrap_or_default();
        println!("breaker  open{until}, after {} failures in a row", breaker.failures);
    }
    for error in &status.errors {
        println!("failed   {} {}: {}", error.at, error.kind, error.detail);
    }
    if let Some(problem) = &status.sensors_problem {
        println!("sensors  {problem}");
    }
    if !status.sensors.is_empty() {
        println!();
        let rows: Vec<_> = status
            .sensors
            .iter()
            .map(|sensor| {
                let value = sensor.value.map_or_else(String::new, |value| value.to_string());
                [sensor.name.clone(), value, sensor.unit.clone().unwrap_or_default(), sensor.health.clone()]
            })
            .collect();
        table::print(["SENSOR", "VALUE", "UNIT", "HEALTH"], &rows);
    }
}

fn print_log(entries: &[LogEntry]) {
    let row = |entry: &LogEntry| {
        let at = entry.at.map(|at| at.to_string()).unwrap_or_default();
        [entry.id.clone(), at, entry.severity.clone(), entry.message.clone()]
    };
    table::print(["ID", "AT", "SEVERITY", "MESSAGE"], &entries.iter().map(row).collect::<Vec<_>>());
}
