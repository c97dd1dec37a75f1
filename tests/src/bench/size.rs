//! Memory: of a daemon that does nothing, and of one with 100,000 machines.

use anyhow::Result;

use super::table::Table;
use super::{ground, scripts, usage};

/// Prints the section.
pub async fn run() -> Result<()> {
    let network = ground::network()?;
    let mut table = Table::new("Memory, MB", &["inventory", "resident", "of that its own"]);
    for machines in [0, 100_000] {
        let folder = tempfile::tempdir()?;
        let mut daemon = ground::ours(&network, folder.path(), |builder| builder).await?;
        if machines > 0 {
            scripts::fill(&daemon.client()?, folder.path(), machines, 0).await?;
            // What taking them in needed is not what having them needs.
            daemon.restart().await?;
        }
        let pid = daemon.pid().unwrap_or_default();
        let [resident, own] = ["VmRSS", "RssAnon"].map(|field| usage::memory_mb(pid, field));
        table.row([format!("{machines} machines"), format!("{:.0}", resident?), format!("{:.0}", own?)]);
    }
    table.print();
    Ok(())
}
