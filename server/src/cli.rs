//! The command line: the daemon, and the client commands, which talk REST like anybody else.
mod access_commands;
mod audit;
mod auth;
mod beside;
mod boot;
mod client;
mod credentials;
mod describe;
mod doctor;
mod events;
mod explain;
mod export;
mod get;
mod inbox;
mod login;
mod machine_commands;
mod network;
mod operation;
mod password;
mod plan;
mod power;
mod probe;
mod render;
mod revisions;
mod serve;
mod sources;
mod system;
mod table;
mod token;
mod user;
mod webhook;

use self::access_commands::{AuditCommand, AuthCommand, TokenCommand, UserCommand, WebhookCommand};
use self::machine_commands::{BootCommand, MachineCommand};
use crate::{config::Overrides, errors};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, process::ExitCode};

/// Turns racks of bare machines into running CoreOS hosts and Kubernetes nodes
#[derive(Debug, Parser)]
#[command(name = "pilotlight", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Serve(ServeArgs),
    /// Look at a configuration file
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Show what an apply of these files would do, and which machines' boots differ by it: ends with 0 if nothing changes, with 2 if something does
    Plan(PlanArgs),
    /// Make what is declared be as in these files
    Apply(ApplyArgs),
    /// Show resources: roles, firmware, subnets, images, profiles, groups, machines, webhooks, boots; or all, as files
    Get(GetArgs),
    /// Show all that there is to know of one resource, machine or boot: what is declared, what it is now, what happened to it
    Describe(describe::DescribeArgs),
    /// Show what a resource was: its revisions, who made them, when and why
    Revisions(RevisionsArgs),
    /// Show what differs between two revisions of a resource
    Diff(DiffArgs),
    /// Make an older revision of a resource the newest again
    Rollback(RollbackArgs),
    /// Delete a resource
    Delete(DeleteArgs),
    /// Say what a machine, or a packet, gets now, and why
    Explain(explain::ExplainArgs),
    /// Make the Ignition config of a profile or a Butane file, here, without a server
    Render(render::RenderArgs),
    /// Act on a machine
    Machine {
        #[command(subcommand)]
        command: MachineCommand,
    },
    /// Show what waits for somebody: machines that nobody accepted, missing, on hold, not as their class
    Inbox(inbox::InboxArgs),
    /// Work with the machines that are to come
    Expected {
        #[command(subcommand)]
        command: inbox::ExpectedCommand,
    },
    /// Look into a boot
    Boot {
        #[command(subcommand)]
        command: BootCommand,
    },
    /// Look who wins for whom: the groups of a machine, the machines of a group
    Group {
        #[command(subcommand)]
        command: network::GroupCommand,
    },
    /// Show how full the subnets are, and who else was seen on them
    Network(network::NetworkArgs),
    /// Show who has which address
    Leases(network::LeasesArgs),
    /// Show what the daemon is: version, database, what it listens on
    System(system::SystemArgs),
    /// Show what the daemon does again and again, and how it went the last time
    Tasks(system::SystemArgs),
    /// Put together what somebody needs who is to help, without secrets
    SupportBundle(system::BundleArgs),
    /// Show what happened
    Events(EventsArgs),
    /// Look at work that takes long, such as taking an image in
    Operation {
        #[command(subcommand)]
        command: OperationCommand,
    },
    /// Check this host, its configuration and its network before they are trusted
    Doctor(doctor::DoctorArgs),
    /// Play a machine that boots, against the servers on an interface, and say what is wrong
    Probe(probe::ProbeArgs),
    /// Look at the audit log: who changed what
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Ask what one may do
    Auth {
        #[command(subcommand)]
        command: AuthCommand,
    },
    /// Look at what webhooks were told, and tell them again
    Webhook {
        #[command(subcommand)]
        command: WebhookCommand,
    },
    /// Work with API tokens
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Work with local users
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Sign in: the commands that follow ask with the token that comes of it
    Login(LoginArgs),
    /// Sign out: the token that `login` got is over
    Logout(LogoutArgs),
    /// Say who one is to the server, and what one may do
    Whoami(WhoamiArgs),
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// The configuration file; without one, defaults, flags and environment are all there is
    #[arg(long, env = "PILOTLIGHT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say everything that is wrong with a configuration
    Check(ServeArgs),
}

/// Where the server is, and who asks
#[derive(Debug, Args)]
struct Server {
    /// The server's URL
    #[arg(
        long,
        env = "PILOTLIGHT_URL",
        default_value = "https://localhost:8443",
        value_name = "URL",
        help_heading = "Server"
    )]
    url: String,
    /// The API token; better in the environment than here, where others of this host can see it. Without one, that of `pilotlight login`, and /var/lib/pilotlight/admin.token, are tried
    #[arg(
        long,
        env = "PILOTLIGHT_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        help_heading = "Server"
    )]
    token: Option<String>,
    /// The certificate (PEM) to trust; without one, /var/lib/pilotlight/ca.pem and the well-known authorities are
    #[arg(long, env = "PILOTLIGHT_CA", value_name = "FILE", help_heading = "Server")]
    ca: Option<PathBuf>,
}

/// Which files, and what they are all of
#[derive(Debug, Args)]
struct FileArgs {
    /// A file, a folder of .yaml, .yml and .json files, or - for standard input; may be given several times
    #[arg(short = 'f', long = "file", required = true, value_name = "PATH")]
    files: Vec<PathBuf>,
    /// The set of files that these are: the server remembers of each resource which one it is from
    #[arg(long, default_value = "files", value_name = "NAME")]
    source: String,
    /// Delete what was applied from this source before and is not in these files
    #[arg(long)]
    prune: bool,
}

impl FileArgs {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("source", self.source.clone()), ("prune", self.prune.to_string())]
    }
}

/// How a change is made
#[derive(Debug, Args)]
struct ChangeArgs {
    /// Why, in words: it is kept with the revisions that come of it
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Refuse, unless it would do exactly what this plan says: its hash, or the file that `plan -o json` wrote
    #[arg(long, value_name = "HASH|FILE")]
    expect_plan: Option<String>,
    /// Change the next boot of so many machines: needed where the guard lets fewer through
    #[arg(long, value_name = "NUMBER")]
    allow_machines: Option<usize>,
}

impl ChangeArgs {
    fn query(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let message = self.message.iter().map(|message| ("message", message.clone()));
        let plan = self.expect_plan.as_deref().map(plan::hash).transpose()?.map(|hash| ("expect-plan", hash));
        let allow = self.allow_machines.iter().map(|number| ("allow-machines", number.to_string()));
        Ok(message.chain(plan).chain(allow).collect())
    }
}

#[derive(Debug, Args)]
struct PlanArgs {
    #[command(flatten)]
    files: FileArgs,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = PlanOutput::Text)]
    output: PlanOutput,
    /// Show every line of each difference, and every machine's name
    #[arg(long)]
    detailed: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PlanOutput {
    /// For people
    Text,
    /// For programs: all of it
    Json,
    /// For a merge request
    Markdown,
}

#[derive(Debug, Args)]
struct ApplyArgs {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    change: ChangeArgs,
    /// Only show what it would do, as `plan` does
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
struct RevisionsArgs {
    /// role, firmware, subnet, image, profile, group, hardwareclass, expectedmachine, acceptrule or webhook
    kind: String,
    /// Which one
    name: String,
    /// Only this one, with what was declared
    revision: Option<i64>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// role, firmware, subnet, image, profile, group, hardwareclass, expectedmachine, acceptrule or webhook
    kind: String,
    /// Which one
    name: String,
    /// The revision to begin with
    from: i64,
    /// The revision to end with; without it, the newest
    to: Option<i64>,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
struct RollbackArgs {
    /// role, firmware, subnet, image, profile, group, hardwareclass, expectedmachine, acceptrule or webhook
    kind: String,
    /// Which one
    name: String,
    /// The revision whose content it gets
    #[arg(long, value_name = "REVISION")]
    to: i64,
    /// Only show what it would do, as `plan` does
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    change: ChangeArgs,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For programs
    Json,
    /// For files: what `apply` takes
    Yaml,
}

#[derive(Debug, Args)]
struct GetArgs {
    /// roles, firmware, subnets, images, profiles, groups, hardwareclasses, expectedmachines, acceptrules, machines, webhooks or boots; several with commas between them; all of them: all
    kind: String,
    /// Only this one
    name: Option<String>,
    /// Only those with these labels, such as role=worker,rack!=r1; machines have stage, rack, drift and hold, too
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
struct DeleteArgs {
    /// role, firmware, subnet, image, profile, group, hardwareclass, expectedmachine, acceptrule, machine or webhook
    kind: String,
    /// Which one
    name: String,
    /// Change the next boot of so many machines: needed where the guard lets fewer through
    #[arg(long, value_name = "NUMBER")]
    allow_machines: Option<usize>,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
struct MachineArgs {
    /// The machine
    #[arg(required_unless_present = "selector", conflicts_with = "selector")]
    name: Option<String>,
    /// Every machine with these labels, such as rack=r1
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Only say what would come of it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
struct EventsArgs {
    /// Go on, as they happen
    #[arg(short, long)]
    follow: bool,
    /// Only those of one object, such as machine/n1
    #[arg(long, value_name = "KIND/NAME")]
    object: Option<String>,
    /// Only those of objects with these labels now, such as rack=r1
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Only those after this one
    #[arg(long, value_name = "SEQ")]
    after: Option<i64>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Subcommand)]
enum OperationCommand {
    /// Show what goes on, and what has ended lately
    List {
        /// How to print
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        server: Server,
    },
    /// Call one off that fetches files: it changes nothing
    Cancel {
        /// Its id
        id: String,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Args)]
struct LoginArgs {
    /// Sign in as this local user, and not at the issuer; the password is typed, or read from standard input
    #[arg(long, value_name = "NAME", conflicts_with = "id_token_env")]
    user: Option<String>,
    /// In a pipeline: sign in by the ID token in this variable of the environment
    #[arg(long, value_name = "VARIABLE")]
    id_token_env: Option<String>,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
struct LogoutArgs {
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
struct WhoamiArgs {
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    server: Server,
}

/// Runs what the command line asks for. Exit codes as in sysexits.h: 64 usage, 69 unavailable, 77 no permission, 78 configuration;
/// client commands end with 1 when the server refuses,
/// and plans with 2 that would change something.
pub fn main() -> ExitCode {
    end_quietly_when_nobody_reads();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not mistakes.
            let code = if error.use_stderr() { 64 } else { 0 };
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no threads can be had: {error}");
            return ExitCode::from(71);
        }
    };
    runtime.block_on(run(cli.command))
}

/// `pilotlight get machines | head` is no crash: whoever reads has seen enough.
fn end_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default();
        if text.starts_with("failed printing to stdout") && text.contains("Broken pipe") {
            std::process::exit(0);
        }
        usual(panic);
    }));
}

async fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Serve(args) => return serve::serve(args).await,
        Command::Config { command: ConfigCommand::Check(args) } => return serve::check(&args),
        Command::Doctor(args) => return doctor::run(args).await,
        Command::Probe(args) => probe::run(args).await,
        Command::Plan(args) => return ended(plan::plan(args).await),
        Command::Apply(args) => return ended(plan::apply(args).await),
        Command::Rollback(args) => return ended(plan::rollback(args).await),
        Command::Describe(args) => describe::run(args).await,
        Command::Revisions(args) => revisions::list(args).await,
        Command::Diff(args) => revisions::diff(args).await,
        Command::Get(args) => get::run(args).await,
        Command::Delete(args) => get::delete(args).await,
        Command::Explain(args) => explain::run(args).await,
        Command::Render(args) => render::run(&args),
        Command::Boot { command } => boot::run(command).await,
        Command::Inbox(args) => inbox::run(args).await,
        Command::Expected { command } => return ended(inbox::expected(command).await),
        Command::Machine { command } => get::machine(command).await,
        Command::Group { command } => network::group(command).await,
        Command::Network(args) => network::network(args).await,
        Command::Leases(args) => network::leases(args).await,
        Command::System(args) => system::system(args).await,
        Command::Tasks(args) => system::tasks(args).await,
        Command::SupportBundle(args) => system::bundle(args).await,
        Command::Events(args) => events::run(args).await,
        Command::Operation { command } => operation::run(command).await,
        Command::Audit { command } => audit::run(command).await,
        Command::Auth { command } => return ended(auth::run(command).await),
        Command::Webhook { command } => webhook::run(command).await,
        Command::Token { command } => token::run(command).await,
        Command::User { command } => user::run(command).await,
        Command::Login(args) => login::login(args).await,
        Command::Logout(args) => login::logout(args).await,
        Command::Whoami(args) => login::whoami(args).await,
    };
    ended(done.map(|()| ExitCode::SUCCESS))
}

fn ended(done: anyhow::Result<ExitCode>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", errors::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
