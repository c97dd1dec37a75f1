//! `network`, `leases`, `group`: how full the subnets are, who has which address, who wins for whom.
use super::{
    Output, Server,
    client::{Client, segment},
    table,
};
use anyhow::Result;
use clap::{Args, Subcommand};
use pilotlight_types::api::{GroupMachine, Lease, LeaseState, MachineGroup, Sighting, SubnetUse};
use serde::Serialize;

#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
pub(super) struct LeasesArgs {
    /// Only those of this subnet
    #[arg(long, value_name = "NAME")]
    subnet: Option<String>,
    /// Only those in this state: leased, offered, abandoned or ended
    #[arg(long, value_name = "STATE")]
    state: Option<LeaseState>,
    /// Only those of this machine
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Subcommand)]
pub(super) enum GroupCommand {
    /// Show every group that takes a machine, the one that counts first, and why
    Of {
        /// The machine
        machine: String,
        /// How to print
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        server: Server,
    },
    /// Show the machines that a group takes, and which group counts for each
    Machines {
        /// The group
        group: String,
        /// How to print
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        server: Server,
    },
}

pub(super) async fn network(args: NetworkArgs) -> Result<()> {
    let uses: Vec<SubnetUse> = Client::new(&args.server)?.list("/network", &[]).await?;
    printed(args.output, &uses, |uses| {
        let seen =
            |all: &[Sighting]| all.iter().map(|one| one.address.to_string()).collect::<Vec<_>>().join(", ");
        let row = |one: &SubnetUse| {
            let numbers = [one.free, one.addresses, one.leased, one.offered, one.reserved, one.abandoned];
            let [free, all, leased, offered, reserved, abandoned] = numbers.map(|number| number.to_string());
            let (relays, servers) = (seen(&one.relays), seen(&one.servers));
            [one.subnet.clone(), free, all, leased, offered, reserved, abandoned, relays, servers]
        };
        table::print(
            ["SUBNET", "FREE", "OF", "LEASED", "OFFERED", "RESERVED", "ABANDONED", "RELAYS", "OTHER SERVERS"],
            &uses.iter().map(row).collect::<Vec<_>>(),
        );
    })
}

pub(super) async fn leases(args: LeasesArgs) -> Result<()> {
    let LeasesArgs { subnet, state, machine, output, server } = args;
    let query: Vec<(&str, String)> =
        [("subnet", subnet), ("state", state.map(|state| state.to_string())), ("machine", machine)]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
    let leases: Vec<Lease> = Client::new(&server)?.list("/leases", &query).await?;
    printed(output, &leases, |leases| {
        let row = |one: &Lease| {
            let holder = one.mac.map(|mac| mac.to_string()).or_else(|| one.client.clone());
            [
                one.address.to_string(),
                one.state.to_string(),
                one.machine.clone().unwrap_or_default(),
                holder.unwrap_or_default(),
                one.subnet.clone(),
                one.expires.to_string(),
            ]
        };
        table::print(
            ["ADDRESS", "STATE", "MACHINE", "HOLDER", "SUBNET", "ENDS"],
            &leases.iter().map(row).collect::<Vec<_>>(),
        );
    })
}

pub(super) async fn group(command: GroupCommand) -> Result<()> {
    let counts = |wins: bool| if wins { "counts" } else { "" }.to_owned();
    match command {
        GroupCommand::Of { machine, output, server } => {
            let path = format!("/machines/{}/groups", segment(&machine)?);
            let groups: Vec<MachineGroup> = Client::new(&server)?.list(&path, &[]).await?;
            printed(output, &groups, |groups| {
                let row = |one: &MachineGroup| {
                    let MachineGroup { group, profile, priority, wins, because } = one.clone();
                    [group, counts(wins), profile, priority.to_string(), because]
                };
                let rows: Vec<_> = groups.iter().map(row).collect();
                table::print(["GROUP", "", "PROFILE", "PRIORITY", "BECAUSE"], &rows);
            })
        }
        GroupCommand::Machines { group, output, server } => {
            let path = format!("/groups/{}/machines", segment(&group)?);
            let machines: Vec<GroupMachine> = Client::new(&server)?.list(&path, &[]).await?;
            printed(output, &machines, |machines| {
                let row = |one: &GroupMachine| {
                    let GroupMachine { machine, wins, winner, because } = one.clone();
                    [machine, counts(wins), winner, because]
                };
                let rows: Vec<_> = machines.iter().map(row).collect();
                table::print(["MACHINE", "", "COUNTS", "BECAUSE"], &rows);
            })
        }
    }
}

/// Prints a list as it was asked for.
pub(super) fn printed<T: Serialize>(output: Output, all: &[T], as_table: impl FnOnce(&[T])) -> Result<()> {
    match output {
        Output::Table => as_table(all),
        Output::Json => println!("{}", serde_json::to_string_pretty(all)?),
        Output::Yaml => print!("{}", serde_saphyr::to_string(&all)?),
    }
    Ok(())
}
