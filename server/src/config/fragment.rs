//! One source of configuration: every key may be absent, and one that is not known is an error.
use clap::Args;
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};

/// A configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Fragment {
    /// `[site]`
    pub site: Site,
    /// `[server]`
    pub server: Server,
    /// `[http]`
    pub http: Listen,
    /// `[https]`
    pub https: Https,
    /// `[dhcp]`
    pub dhcp: Dhcp,
    /// `[tftp]`
    pub tftp: Listen,
    /// `[syslog]`
    pub syslog: Listen,
    /// `[ipxe]`
    pub ipxe: Ipxe,
    /// `[agent]`
    pub agent: Agent,
    /// `[boot]`
    pub boot: Boot,
    /// `[ladder]`
    pub ladder: Ladder,
    /// `[guard]`
    pub guard: Guard,
    /// `[database]`
    pub database: Database,
    /// `[secrets]`
    pub secrets: Secrets,
    /// `[vault]`
    pub vault: Vault,
    /// `[webhooks]`
    pub webhooks: Webhooks,
    /// `[oidc]`
    pub oidc: Oidc,
}

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<$type>),+
        }
    )+};
}

sections! {
    /// The data centre.
    Site {
        /// Its name.
        name: String,
    }
    /// The daemon.
    Server {
        /// Where it keeps its state.
        data_dir: PathBuf,
        /// The address that machines are told.
        advertise: String,
    }
    /// A port.
    Listen {
        /// Address and port.
        listen: String,
    }
    /// The port with TLS.
    Https {
        /// Address and port.
        listen: String,
        /// A certificate chain, PEM, instead of one from the site CA.
        certificate: PathBuf,
        /// The key of that certificate, PEM.
        key: PathBuf,
    }
    /// DHCP.
    Dhcp {
        /// The interfaces that it is served on; none, and it is not.
        interfaces: Vec<String>,
        /// The server's port; clients are at the next one.
        port: u16,
        /// Whether another DHCP server on this host has that port as well.
        share_port: bool,
        /// Whether DHCPv6 is served too.
        ipv6: bool,
    }
    /// Boot programs.
    Ipxe {
        /// Where they are.
        dir: PathBuf,
    }
    /// The agent.
    Agent {
        /// Its binary, as machines get it.
        binary: PathBuf,
    }
    /// Boots.
    Boot {
        /// How long one may be silent before it has failed: `10m`.
        patience: String,
        /// No less than this, whatever was learned of others.
        floor: String,
        /// How long after it was switched on its first packet may come.
        post: String,
    }
    /// What is tried with machines that are to boot and do not.
    Ladder {
        /// Whether anything is.
        enabled: bool,
        /// The steps, the first one first.
        steps: Vec<String>,
        /// How long after a step the next one comes at the earliest.
        pause: String,
        /// How many steps are begun within that time at the most, on all machines together.
        at_once: usize,
    }
    /// What keeps a slip from reaching a whole hall.
    Guard {
        /// How many machines' next boots one change may touch before their number must be said.
        machines: usize,
    }
    /// The database.
    Database {
        /// `sqlite`, or `postgres://…`.
        url: String,
    }
    /// Secrets of profiles.
    Secrets {
        /// The folders below which they may be in files.
        files: Vec<PathBuf>,
    }
    /// The Vault that has secrets of profiles.
    Vault {
        /// Its URL.
        address: String,
        /// The paths below which secrets may be read.
        paths: Vec<String>,
        /// The namespace that all of it is in.
        namespace: String,
        /// The daemon's token.
        token: String,
        /// A file with it.
        token_file: PathBuf,
        /// The id of the daemon's AppRole.
        role_id: String,
        /// A file with the AppRole's secret id.
        secret_id_file: PathBuf,
        /// Where AppRole is mounted.
        auth_mount: String,
        /// The authorities of its certificate, PEM.
        ca: PathBuf,
        /// How long a request may take.
        timeout: String,
        /// How long a secret is kept in memory.
        cache: String,
    }
    /// How webhooks are told.
    Webhooks {
        /// Networks and hosts that they may lead to beside what everybody may reach.
        allow: Vec<String>,
        /// How long to wait after the first failure.
        retry_first: String,
        /// The longest pause between tries.
        retry_longest: String,
        /// How long it is tried.
        retry_for: String,
        /// How long deliveries that are done are kept.
        keep: String,
        /// How many of those of one webhook.
        keep_count: usize,
    }
    /// Other systems' word on who somebody is.
    Oidc {
        /// The URL of the issuer that people sign in at.
        issuer: String,
        /// Who we are to it.
        client_id: String,
        /// A file with what proves that.
        client_secret_file: PathBuf,
        /// The client of `pilotlight login`, which has no secret.
        cli_client_id: String,
        /// What is asked for.
        scopes: Vec<String>,
        /// The claim that has the groups.
        groups_claim: String,
        /// The claim that has the name.
        name_claim: String,
        /// For whom else an ID token may be that is exchanged.
        audiences: Vec<String>,
        /// The URL that people reach this server by.
        url: String,
        /// The authorities of the issuer's certificate, PEM.
        ca: PathBuf,
        /// The role of each group. In the file only.
        roles: BTreeMap<String, String>,
        /// What pipelines get a token for. In the file only.
        exchange: Vec<Exchange>,
    }
    /// What pipelines get a token for: `[[oidc.exchange]]`.
    Exchange {
        /// The issuer's URL.
        issuer: String,
        /// For whom the ID token must be.
        audience: String,
        /// What it must say.
        claims: BTreeMap<String, String>,
        /// What the token may do.
        role: String,
        /// Which kinds it is good for.
        kinds: Vec<String>,
        /// Which labels it is good for.
        selector: String,
        /// How long it is good.
        lifetime: String,
        /// The authorities of the issuer's certificate, PEM.
        ca: PathBuf,
    }
}

/// Every key as a flag, and as a variable of the environment. They win over the file.
#[derive(Debug, Clone, Default, Args)]
pub struct Overrides {
    /// The data centre's name
    #[arg(long, env = "PILOTLIGHT_SITE_NAME", value_name = "NAME", help_heading = "Settings")]
    pub site_name: Option<String>,
    /// Where the daemon keeps its state
    #[arg(long, env = "PILOTLIGHT_SERVER_DATA_DIR", value_name = "DIR", help_heading = "Settings")]
    pub server_data_dir: Option<PathBuf>,
    /// The address that machines are told, instead of the one that they asked
    #[arg(long, env = "PILOTLIGHT_SERVER_ADVERTISE", value_name = "ADDRESS", help_heading = "Settings")]
    pub server_advertise: Option<String>,
    /// Address and port for boot files, in the clear
    #[arg(long, env = "PILOTLIGHT_HTTP_LISTEN", value_name = "ADDRESS:PORT", help_heading = "Settings")]
    pub http_listen: Option<String>,
    /// Address and port for everything else, with TLS
    #[arg(long, env = "PILOTLIGHT_HTTPS_LISTEN", value_name = "ADDRESS:PORT", help_heading = "Settings")]
    pub https_listen: Option<String>,
    /// A certificate chain (PEM) instead of one from the site CA
    #[arg(long, env = "PILOTLIGHT_HTTPS_CERTIFICATE", value_name = "FILE", help_heading = "Settings")]
    pub https_certificate: Option<PathBuf>,
    /// The key (PEM) of that certificate
    #[arg(long, env = "PILOTLIGHT_HTTPS_KEY", value_name = "FILE", help_heading = "Settings")]
    pub https_key: Option<PathBuf>,
    /// The interfaces to serve DHCP on, separated by commas
    #[arg(
        long,
        env = "PILOTLIGHT_DHCP_INTERFACES",
        value_name = "NAMES",
        value_delimiter = ',',
        help_heading = "Settings"
    )]
    pub dhcp_interfaces: Option<Vec<String>>,
    /// The DHCP server's port; clients are at the next one
    #[arg(long, env = "PILOTLIGHT_DHCP_PORT", value_name = "PORT", help_heading = "Settings")]
    pub dhcp_port: Option<u16>,
    /// Whether another DHCP server on this host has that port as well: then only subnets of the mode `proxy` or `shadow` are served
    #[arg(long, env = "PILOTLIGHT_DHCP_SHARE_PORT", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = "Settings")]
    pub dhcp_share_port: Option<bool>,
    /// Whether DHCPv6 is served on those interfaces too; HTTP and TFTP then listen on `[::]` unless told otherwise
    #[arg(long, env = "PILOTLIGHT_DHCP_IPV6", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = "Settings")]
    pub dhcp_ipv6: Option<bool>,
    /// Address and port for TFTP
    #[arg(long, env = "PILOTLIGHT_TFTP_LISTEN", value_name = "ADDRESS:PORT", help_heading = "Settings")]
    pub tftp_listen: Option<String>,
    /// Address and port for syslog of booting machines, UDP and TCP; without it none is received
    #[arg(long, env = "PILOTLIGHT_SYSLOG_LISTEN", value_name = "ADDRESS:PORT", help_heading = "Settings")]
    pub syslog_listen: Option<String>,
    /// Where the boot programs (undionly.kpxe, snponly.efi, ...) are
    #[arg(long, env = "PILOTLIGHT_IPXE_DIR", value_name = "DIR", help_heading = "Settings")]
    pub ipxe_dir: Option<PathBuf>,
    /// The agent's binary, as machines get it
    #[arg(long, env = "PILOTLIGHT_AGENT_BINARY", value_name = "FILE", help_heading = "Settings")]
    pub agent_binary: Option<PathBuf>,
    /// How long a boot may be silent before it has failed, such as 10m; less, where boots like it were never silent for so long
    #[arg(long, env = "PILOTLIGHT_BOOT_PATIENCE", value_name = "TIME", help_heading = "Settings")]
    pub boot_patience: Option<String>,
    /// The least that a boot may be silent, however quick others were, such as 2m
    #[arg(long, env = "PILOTLIGHT_BOOT_FLOOR", value_name = "TIME", help_heading = "Settings")]
    pub boot_floor: Option<String>,
    /// How long after a machine was switched on its first packet may come, such as 15m; less, where that was learned
    #[arg(long, env = "PILOTLIGHT_BOOT_POST", value_name = "TIME", help_heading = "Settings")]
    pub boot_post: Option<String>,
    /// Whether machines that are to boot and do not are restarted by their BMCs, step by step
    #[arg(
        long,
        env = "PILOTLIGHT_LADDER_ENABLED",
        value_name = "BOOL",
        num_args = 0..=1,
        default_missing_value = "true",
        help_heading = "Settings"
    )]
    pub ladder_enabled: Option<bool>,
    /// The steps, separated by commas: restart, cycle, bmc-reset, http
    #[arg(
        long,
        env = "PILOTLIGHT_LADDER_STEPS",
        value_name = "STEPS",
        value_delimiter = ',',
        help_heading = "Settings"
    )]
    pub ladder_steps: Option<Vec<String>>,
    /// How long after a step of a machine the next one comes at the earliest, such as 5m
    #[arg(long, env = "PILOTLIGHT_LADDER_PAUSE", value_name = "TIME", help_heading = "Settings")]
    pub ladder_pause: Option<String>,
    /// How many steps are begun within that time at the most, on all machines together
    #[arg(long, env = "PILOTLIGHT_LADDER_AT_ONCE", value_name = "NUMBER", help_heading = "Settings")]
    pub ladder_at_once: Option<usize>,
    /// How many machines' next boots one change may touch before --allow-machines must say their number
    #[arg(long, env = "PILOTLIGHT_GUARD_MACHINES", value_name = "NUMBER", help_heading = "Settings")]
    pub guard_machines: Option<usize>,
    /// `sqlite`, or a postgres:// URL; a URL with a password belongs in the file or the environment, not in a flag
    #[arg(
        long,
        env = "PILOTLIGHT_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Settings"
    )]
    pub database_url: Option<String>,
    /// The folders below which secrets of profiles may be in files, separated by commas
    #[arg(
        long,
        env = "PILOTLIGHT_SECRETS_FILES",
        value_name = "DIRS",
        value_delimiter = ',',
        help_heading = "Settings"
    )]
    pub secrets_files: Option<Vec<PathBuf>>,
    /// The Vault that has secrets of profiles, such as `https://vault.example:8200`
    #[arg(long, env = "PILOTLIGHT_VAULT_ADDRESS", value_name = "URL", help_heading = "Settings")]
    pub vault_address: Option<String>,
    /// The paths below which secrets may be read, as in Vault's policies, separated by commas
    #[arg(
        long,
        env = "PILOTLIGHT_VAULT_PATHS",
        value_name = "PATHS",
        value_delimiter = ',',
        help_heading = "Settings"
    )]
    pub vault_paths: Option<Vec<String>>,
    /// The namespace that the secrets and the daemon's token are in
    #[arg(long, env = "PILOTLIGHT_VAULT_NAMESPACE", value_name = "NAME", help_heading = "Settings")]
    pub vault_namespace: Option<String>,
    /// The daemon's token; it belongs in the file or the environment, not in a flag
    #[arg(
        long,
        env = "PILOTLIGHT_VAULT_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Settings"
    )]
    pub vault_token: Option<String>,
    /// A file with the daemon's token
    #[arg(long, env = "PILOTLIGHT_VAULT_TOKEN_FILE", value_name = "FILE", help_heading = "Settings")]
    pub vault_token_file: Option<PathBuf>,
    /// The id of the daemon's AppRole
    #[arg(long, env = "PILOTLIGHT_VAULT_ROLE_ID", value_name = "ID", help_heading = "Settings")]
    pub vault_role_id: Option<String>,
    /// A file with the secret id of the daemon's AppRole
    #[arg(long, env = "PILOTLIGHT_VAULT_SECRET_ID_FILE", value_name = "FILE", help_heading = "Settings")]
    pub vault_secret_id_file: Option<PathBuf>,
    /// Where AppRole is mounted
    #[arg(long, env = "PILOTLIGHT_VAULT_AUTH_MOUNT", value_name = "PATH", help_heading = "Settings")]
    pub vault_auth_mount: Option<String>,
    /// The authorities (PEM) that Vault's certificate may be from
    #[arg(long, env = "PILOTLIGHT_VAULT_CA", value_name = "FILE", help_heading = "Settings")]
    pub vault_ca: Option<PathBuf>,
    /// How long one request to Vault may take
    #[arg(long, env = "PILOTLIGHT_VAULT_TIMEOUT", value_name = "TIME", help_heading = "Settings")]
    pub vault_timeout: Option<String>,
    /// How long a secret of Vault is kept in memory
    #[arg(long, env = "PILOTLIGHT_VAULT_CACHE", value_name = "TIME", help_heading = "Settings")]
    pub vault_cache: Option<String>,
    /// Networks, addresses and hosts that webhooks may lead to though nobody is sent events there: this host, link-local addresses
    #[arg(
        long,
        env = "PILOTLIGHT_WEBHOOKS_ALLOW",
        value_name = "NETWORKS",
        value_delimiter = ',',
        help_heading = "Settings"
    )]
    pub webhooks_allow: Option<Vec<String>>,
    /// How long to wait after a webhook's first failure; twice as long after each further one
    #[arg(long, env = "PILOTLIGHT_WEBHOOKS_RETRY_FIRST", value_name = "TIME", help_heading = "Settings")]
    pub webhooks_retry_first: Option<String>,
    /// The longest pause between two tries
    #[arg(long, env = "PILOTLIGHT_WEBHOOKS_RETRY_LONGEST", value_name = "TIME", help_heading = "Settings")]
    pub webhooks_retry_longest: Option<String>,
    /// How long a delivery is tried before it is given up
    #[arg(long, env = "PILOTLIGHT_WEBHOOKS_RETRY_FOR", value_name = "TIME", help_heading = "Settings")]
    pub webhooks_retry_for: Option<String>,
    /// How long deliveries that are done are kept
    #[arg(long, env = "PILOTLIGHT_WEBHOOKS_KEEP", value_name = "TIME", help_heading = "Settings")]
    pub webhooks_keep: Option<String>,
    /// How many of those are kept of one webhook
    #[arg(long, env = "PILOTLIGHT_WEBHOOKS_KEEP_COUNT", value_name = "NUMBER", help_heading = "Settings")]
    pub webhooks_keep_count: Option<usize>,
    /// The URL of the issuer that people sign in at, to the letter as its tokens have it
    #[arg(long, env = "PILOTLIGHT_OIDC_ISSUER", value_name = "URL", help_heading = "Settings")]
    pub oidc_issuer: Option<String>,
    /// The id of the client that we are to it
    #[arg(long, env = "PILOTLIGHT_OIDC_CLIENT_ID", value_name = "ID", help_heading = "Settings")]
    pub oidc_client_id: Option<String>,
    /// A file with that client's secret; without one it is a public client
    #[arg(long, env = "PILOTLIGHT_OIDC_CLIENT_SECRET_FILE", value_name = "FILE", help_heading = "Settings")]
    pub oidc_client_secret_file: Option<PathBuf>,
    /// The id of the client of `pilotlight login`, which has no secret; the same, if not set
    #[arg(long, env = "PILOTLIGHT_OIDC_CLI_CLIENT_ID", value_name = "ID", help_heading = "Settings")]
    pub oidc_cli_client_id: Option<String>,
    /// What the issuer is asked for, separated by commas
    #[arg(
        long,
        env = "PILOTLIGHT_OIDC_SCOPES",
        value_name = "SCOPES",
        value_delimiter = ',',
        help_heading = "Settings"
    )]
    pub oidc_scopes: Option<Vec<String>>,
    /// The claim that has the groups
    #[arg(long, env = "PILOTLIGHT_OIDC_GROUPS_CLAIM", value_name = "CLAIM", help_heading = "Settings")]
    pub oidc_groups_claim: Option<String>,
    /// The claim that has the name
    #[arg(long, env = "PILOTLIGHT_OIDC_NAME_CLAIM", value_name = "CLAIM", help_heading = "Settings")]
    pub oidc_name_claim: Option<String>,
    /// For whom else than our own clients an ID token of people may be, separated by commas
    #[arg(
        long,
        env = "PILOTLIGHT_OIDC_AUDIENCES",
        value_name = "IDS",
        value_delimiter = ',',
        help_heading = "Settings"
    )]
    pub oidc_audiences: Option<Vec<String>>,
    /// The URL that people reach this server by; the one that each browser asked, if not set
    #[arg(long, env = "PILOTLIGHT_OIDC_URL", value_name = "URL", help_heading = "Settings")]
    pub oidc_url: Option<String>,
    /// The authorities (PEM) that the issuer's certificate may be from
    #[arg(long, env = "PILOTLIGHT_OIDC_CA", value_name = "FILE", help_heading = "Settings")]
    pub oidc_ca: Option<PathBuf>,
}

impl Fragment {
    /// This, with flags and environment over it.
    pub fn overridden(mut self, over: &Overrides) -> Self {
        fn lay<T: Clone>(under: &mut Option<T>, over: &Option<T>) {
            if over.is_some() {
                under.clone_from(over);
            }
        }
        lay(&mut self.site.name, &over.site_name);
        lay(&mut self.server.data_dir, &over.server_data_dir);
        lay(&mut self.server.advertise, &over.server_advertise);
        lay(&mut self.http.listen, &over.http_listen);
        lay(&mut self.https.listen, &over.https_listen);
        lay(&mut self.https.certificate, &over.https_certificate);
        lay(&mut self.https.key, &over.https_key);
        lay(&mut self.dhcp.interfaces, &over.dhcp_interfaces);
        lay(&mut self.dhcp.port, &over.dhcp_port);
        lay(&mut self.dhcp.share_port, &over.dhcp_share_port);
        lay(&mut self.dhcp.ipv6, &over.dhcp_ipv6);
        lay(&mut self.tftp.listen, &over.tftp_listen);
        lay(&mut self.syslog.listen, &over.syslog_listen);
        lay(&mut self.ipxe.dir, &over.ipxe_dir);
        lay(&mut self.agent.binary, &over.agent_binary);
        lay(&mut self.boot.patience, &over.boot_patience);
        lay(&mut self.boot.floor, &over.boot_floor);
        lay(&mut self.boot.post, &over.boot_post);
        lay(&mut self.ladder.enabled, &over.ladder_enabled);
        lay(&mut self.ladder.steps, &over.ladder_steps);
        lay(&mut self.ladder.pause, &over.ladder_pause);
        lay(&mut self.ladder.at_once, &over.ladder_at_once);
        lay(&mut self.guard.machines, &over.guard_machines);
        lay(&mut self.database.url, &over.database_url);
        lay(&mut self.secrets.files, &over.secrets_files);
        lay(&mut self.vault.address, &over.vault_address);
        lay(&mut self.vault.paths, &over.vault_paths);
        lay(&mut self.vault.namespace, &over.vault_namespace);
        lay(&mut self.vault.token, &over.vault_token);
        lay(&mut self.vault.token_file, &over.vault_token_file);
        lay(&mut self.vault.role_id, &over.vault_role_id);
        lay(&mut self.vault.secret_id_file, &over.vault_secret_id_file);
        lay(&mut self.vault.auth_mount, &over.vault_auth_mount);
        lay(&mut self.vault.ca, &over.vault_ca);
        lay(&mut self.vault.timeout, &over.vault_timeout);
        lay(&mut self.vault.cache, &over.vault_cache);
        lay(&mut self.webhooks.allow, &over.webhooks_allow);
        lay(&mut self.webhooks.retry_first, &over.webhooks_retry_first);
        lay(&mut self.webhooks.retry_longest, &over.webhooks_retry_longest);
        lay(&mut self.webhooks.retry_for, &over.webhooks_retry_for);
        lay(&mut self.webhooks.keep, &over.webhooks_keep);
        lay(&mut self.webhooks.keep_count, &over.webhooks_keep_count);
        lay(&mut self.oidc.issuer, &over.oidc_issuer);
        lay(&mut self.oidc.client_id, &over.oidc_client_id);
        lay(&mut self.oidc.client_secret_file, &over.oidc_client_secret_file);
        lay(&mut self.oidc.cli_client_id, &over.oidc_cli_client_id);
        lay(&mut self.oidc.scopes, &over.oidc_scopes);
        lay(&mut self.oidc.groups_claim, &over.oidc_groups_claim);
        lay(&mut self.oidc.name_claim, &over.oidc_name_claim);
        lay(&mut self.oidc.audiences, &over.oidc_audiences);
        lay(&mut self.oidc.url, &over.oidc_url);
        lay(&mut self.oidc.ca, &over.oidc_ca);
        self
    }
}
