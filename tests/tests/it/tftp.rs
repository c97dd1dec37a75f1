//! TFTP on a real wire, with the clients of others: atftp and curl.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::clients::succeeded;
use crate::net::Net;
use crate::rig::skipped;

#[tokio::test(flavor = "multi_thread")]
async fn every_tftp_client_gets_the_file_whole() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("pltftp", &[]).await?;
    let host = net.rack.host("client", Some("10.77.0.9/24".parse()?))?;
    let out = net.rig.folder.path().join("out");
    let atftp = |file: &str, options: &[&str]| {
        let mut command = host.command("atftp");
        for option in options {
            command.args(["--option", option]);
        }
        command.args(["-g", "-r", file, "-l"]).arg(&out).arg("10.77.0.1");
        command
    };
    let curl = |file: &str, options: &[&str]| {
        let mut command = host.command("curl");
        command.args(["-sS", "--max-time", "60"]).args(options).arg("-o").arg(&out);
        command.arg(format!("tftp://10.77.0.1/{file}"));
        command
    };
    for file in ["undionly.kpxe", "snponly.efi"] {
        let expected = fs::read(Path::new("/usr/lib/ipxe").join(file)).context("apt-get install ipxe")?;
        let commands = [
            atftp(file, &[]),
            atftp(file, &["blksize 1468", "tsize 0"]),
            atftp(file, &["blksize 1468", "windowsize 4"]),
            atftp(file, &["blksize 512", "windowsize 64", "timeout 3"]),
            atftp(file, &["blksize 8", "tsize 0"]),
            atftp(file, &["blksize 65464"]),
            curl(file, &[]),
            curl(file, &["--tftp-blksize", "1432"]),
            curl(file, &["--tftp-no-options"]),
        ];
        for mut command in commands {
            let _ = fs::remove_file(&out);
            succeeded(command.output()?).with_context(|| format!("{command:?}"))?;
            assert_eq!(fs::read(&out)?.len(), expected.len(), "{command:?}");
            assert!(fs::read(&out)? == expected, "{command:?} brought another content");
        }
    }
    // What firmware writes: a leading slash, a backslash, a folder of its own.
    for name in ["/undionly.kpxe", "//undionly.kpxe", "\\undionly.kpxe", "02-00-00-00-00-01/undionly.kpxe"] {
        succeeded(atftp(name, &[]).output()?).with_context(|| name.to_owned())?;
    }
    for name in ["none", "../../etc/passwd", "/etc/passwd"] {
        let _ = fs::remove_file(&out);
        let mut command = curl(name, &[]);
        let output = command.output()?;
        assert!(!output.status.success(), "{name} was served: {output:?}");
    }
    let sent = net.counted("pilotlight_tftp_requests_total{outcome=\"sent\",reason=\"\"}").await?;
    assert_eq!(sent, 2 * 9 + 4);
    Ok(())
}
