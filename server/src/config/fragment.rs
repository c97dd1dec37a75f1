//! One source of configuration: every key may be absent, and one that is not known is an error.
use clap::Args;
use serde::Deserialize;
use std::path::PathBuf;

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
    /// `[guard]`
    pub guard: Guard,
    /// `[database]`
    pub database: Database,
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
    /// How long a boot may be silent before it has failed, such as 10m
    #[arg(long, env = "PILOTLIGHT_BOOT_PATIENCE", value_name = "TIME", help_heading = "Settings")]
    pub boot_patience: Option<String>,
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
        lay(&mut self.guard.machines, &over.guard_machines);
        lay(&mut self.database.url, &over.database_url);
        self
    }
}
