//! The commands about who may do what, who did what, and who is told of it: audit, auth, webhook, token and user.
use super::{Output, Server};
use clap::Subcommand;
use pilotlight_types::{
    api::{DeliveryState, Role},
    resource::{RuleKind, Verb},
};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Show the newest rows
    List {
        /// Only those of this token
        #[arg(long, value_name = "NAME")]
        actor: Option<String>,
        /// Only those of one object, such as profile/worker
        #[arg(long, value_name = "KIND/NAME")]
        object: Option<String>,
        /// Only those from this time on (RFC 3339)
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Only those before this time (RFC 3339)
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// How many at the most
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
        /// How to print
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        server: Server,
    },
    /// Print every row as a line of JSON, oldest first
    Export {
        /// Only those after this one
        #[arg(long, value_name = "ROW", default_value_t = 0)]
        after: i64,
        #[command(flatten)]
        server: Server,
    },
    /// Say whether every row is as it was written, or which one is not
    Verify {
        /// The last hash of an earlier time, if nothing was written since
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum AuthCommand {
    /// Say whether one may do something: ends with 0 for yes, with 1 for no
    CanI {
        /// get, write, delete, deliver, accept, provision, hold, release or retire
        verb: Verb,
        /// A kind of resource, or token, user, audit or site
        kind: RuleKind,
        /// Which one; without it, whether there could be any
        name: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Show what one may do: the rules of one's role, and the scope of one's token
    Rights {
        /// How to print
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum WebhookCommand {
    /// Show how a webhook does
    Status {
        /// The webhook
        name: String,
        /// How to print
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        server: Server,
    },
    /// Show what a webhook was told, newest first, and what came of it
    Deliveries {
        /// The webhook
        name: String,
        /// Only those in this state: pending, delivered or dead
        #[arg(long, value_name = "STATE")]
        state: Option<DeliveryState>,
        /// How many at the most
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
        /// How to print
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        server: Server,
    },
    /// Send deliveries again: one, or those that were given up
    Replay {
        /// The webhook
        name: String,
        /// Only this one, by its event's id
        #[arg(conflicts_with_all = ["dead", "delivered", "since"], required_unless_present_any = ["dead", "delivered", "since"])]
        id: Option<String>,
        /// Those that were given up
        #[arg(long)]
        dead: bool,
        /// Those that were delivered: for a receiver that lost what it had
        #[arg(long, conflicts_with = "dead")]
        delivered: bool,
        /// Only those that were found to be due from this time on (RFC 3339)
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Send to a webhook again whose receiver answered 410
    Resume {
        /// The webhook
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Send a test event, and show what the receiver answers
    Test {
        /// The webhook
        name: String,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token, and print it: it is not shown again
    Create {
        /// What it is for
        name: String,
        /// What it may do: viewer, operator, editor, admin, or a role that was declared
        #[arg(long, default_value_t = Role::Viewer)]
        role: Role,
        /// When it ends (RFC 3339); never, without this
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// Only to do this, such as get,hold; whatever the role allows, without this
        #[arg(long, value_name = "VERBS", value_delimiter = ',')]
        verbs: Vec<Verb>,
        /// Only for these kinds, such as profiles,groups; for all, without this
        #[arg(long, value_name = "KINDS", value_delimiter = ',')]
        kinds: Vec<RuleKind>,
        /// Only for what has these labels, such as site=dc1
        #[arg(long, value_name = "SELECTOR")]
        selector: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Show the tokens: what each may do, when it ends, when it was used last
    List {
        /// How to print
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        server: Server,
    },
    /// End a token at once, and for good
    Delete {
        /// Its name
        name: String,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make a user; the password is typed, or read from standard input
    Create {
        /// The name that they sign in with
        name: String,
        /// What they may do: viewer, operator, editor, admin, or a role that was declared
        #[arg(long, value_name = "ROLE", default_value_t = Role::Viewer)]
        role: Role,
        /// Only to do this, such as get,hold; whatever the role allows, without this
        #[arg(long, value_name = "VERBS", value_delimiter = ',')]
        verbs: Vec<Verb>,
        /// Only to these kinds, such as profiles,groups; to all, without this
        #[arg(long, value_name = "KINDS", value_delimiter = ',')]
        kinds: Vec<RuleKind>,
        /// Only for what has these labels, such as site=dc1
        #[arg(long, value_name = "SELECTOR")]
        selector: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Show the users: what each may do, and when they signed in last
    List {
        /// How to print
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        server: Server,
    },
    /// Change what a user may do: they are signed out by it
    Set {
        /// Their name
        name: String,
        /// What they may do: viewer, operator, editor, admin, or a role that was declared
        #[arg(long, value_name = "ROLE")]
        role: Option<Role>,
        /// They may not sign in any more
        #[arg(long, conflicts_with = "enabled")]
        disabled: bool,
        /// They may sign in again
        #[arg(long)]
        enabled: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Give a user, or oneself, another password; it is typed, or read from standard input
    Passwd {
        /// Their name; without it, whoever asks
        name: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Delete a user, with all that they are signed in with
    Delete {
        /// Their name
        name: String,
        #[command(flatten)]
        server: Server,
    },
}
