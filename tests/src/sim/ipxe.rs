//! An interpreter for as much of iPXE's script language as boot scripts use: a flat list of commands with labels, `||` and
//! `&&`, and settings. It fetches through [`Loader`], so it can be tried without a network.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// How many commands one boot may take: a script that goes in circles without sleeping is an error.
const MOST_COMMANDS: u32 = 10_000;

/// What a script asks its surroundings for.
pub trait Loader {
    /// Fetches a script.
    fn script(&mut self, url: &str) -> impl Future<Output = Result<String>>;
    /// Fetches an image and keeps it under its name, with its arguments.
    fn image(&mut self, url: &str, name: &str, arguments: &[String]) -> impl Future<Output = Result<()>>;
    /// Forgets every image.
    fn free(&mut self);
    /// Waits.
    fn sleep(&mut self, time: Duration) -> impl Future<Output = ()>;
    /// Shows a text.
    fn say(&mut self, text: &str);
}

/// How a script ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The kernel of this name is started.
    Boot {
        /// The kernel's name among the images.
        kernel: String,
    },
    /// The local disk is booted, or the next device in the firmware's order.
    Disk,
}

/// What iPXE knows of the machine before any script tells it.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// `efi` or `pcbios`.
    pub platform: &'a str,
    /// The serial number; empty where the firmware has none.
    pub serial: &'a str,
}

/// Fetches the script at `url` and runs it, and those that it chains to.
pub async fn run(url: &str, about: About<'_>, loader: &mut impl Loader) -> Result<End> {
    let mut machine = Machine { settings: HashMap::new(), kernel: None, commands: 0 };
    machine.settings.insert("platform".into(), about.platform.into());
    machine.settings.insert("serial".into(), about.serial.into());
    machine.settings.insert("serial:uristring".into(), escaped(about.serial));
    // iPXE fills in the file name of its DHCP lease as it does the words of a script.
    let mut url = machine.expanded(url);
    loop {
        let script = loader.script(&url).await?;
        ensure!(script.starts_with("#!ipxe\n"), "{url} brought no iPXE script");
        match machine.script(&script, loader).await.with_context(|| format!("the script of {url}"))? {
            Flow::Chain(next) => url = joined(&url, &next)?,
            Flow::End(end) => return Ok(end),
            Flow::Next | Flow::Goto(_) => bail!("the script of {url} ends without booting anything"),
        }
    }
}

struct Machine {
    settings: HashMap<String, String>,
    kernel: Option<String>,
    commands: u32,
}

/// Where a command leads.
#[derive(Debug, PartialEq, Eq)]
enum Flow {
    Next,
    Goto(String),
    Chain(String),
    End(End),
}

impl Machine {
    async fn script(&mut self, text: &str, loader: &mut impl Loader) -> Result<Flow> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let mut at = 0;
        while let Some(line) = lines.get(at) {
            at += 1;
            if line.is_empty() || line.starts_with(['#', ':']) {
                continue;
            }
            match self.line(line, loader).await.with_context(|| format!("line {at}, `{line}`"))? {
                Flow::Next => {}
                Flow::Goto(label) => {
                    let found = lines.iter().position(|line| line.strip_prefix(':') == Some(&label));
                    at = found.with_context(|| format!("there is no label `{label}`"))?;
                }
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    /// Runs the commands of a line until one fails that is not followed by `||`, or succeeds that is.
    async fn line(&mut self, line: &str, loader: &mut impl Loader) -> Result<Flow> {
        let mut words = line.split_whitespace().peekable();
        let mut result = Ok(Flow::Next);
        let mut wanted = true;
        while words.peek().is_some() {
            let mut command = Vec::new();
            let mut operator = None;
            for word in words.by_ref() {
                if matches!(word, "||" | "&&") {
                    operator = Some(word);
                    break;
                }
                command.push(word);
            }
            if wanted {
                result = self.command(&command, loader).await;
            }
            wanted = match operator {
                Some("||") => result.is_err(),
                Some(_) => result.is_ok(),
                None => break,
            };
            if words.peek().is_none() && operator == Some("||") {
                // Nothing after it: a failure is let pass.
                return Ok(result.unwrap_or(Flow::Next));
            }
            if matches!(result, Ok(ref flow) if *flow != Flow::Next) {
                break;
            }
        }
        result
    }

    async fn command(&mut self, words: &[&str], loader: &mut impl Loader) -> Result<Flow> {
        self.commands += 1;
        ensure!(self.commands < MOST_COMMANDS, "the script goes in circles");
        let words: Vec<String> = words.iter().map(|word| self.expanded(word)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["echo", text @ ..] => loader.say(&text.join(" ")),
            ["set", name, value] => {
                let name = name.split_once(':').map_or(*name, |(name, _)| name);
                self.settings.insert(name.to_owned(), (*value).to_owned());
            }
            ["inc", name] => {
                let number = self.settings.get(*name).map_or(Ok(0), |text| text.parse::<i64>())?;
                self.settings.insert((*name).to_owned(), (number + 1).to_string());
            }
            ["iseq", a, b] => ensure!(a == b, "`{a}` is not `{b}`"),
            ["imgfree"] => {
                self.kernel = None;
                loader.free();
            }
            ["kernel", url, arguments @ ..] => {
                let name = file_name(url);
                let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
                loader.image(url, name, &arguments).await?;
                self.kernel = Some(name.to_owned());
            }
            ["initrd", "--name", name, url] => loader.image(url, name, &[]).await?,
            ["initrd", url] => loader.image(url, file_name(url), &[]).await?,
            ["boot"] => {
                let kernel = self.kernel.clone().context("no kernel was loaded")?;
                return Ok(Flow::End(End::Boot { kernel }));
            }
            ["sleep", seconds] => loader.sleep(Duration::from_secs(seconds.parse()?)).await,
            ["goto", label] => return Ok(Flow::Goto((*label).to_owned())),
            ["chain", rest @ ..] => {
                let url = rest.iter().find(|word| !word.starts_with("--")).context("chain to what?")?;
                return Ok(Flow::Chain((*url).to_owned()));
            }
            ["sanboot" | "exit", ..] => return Ok(Flow::End(End::Disk)),
            [] => {}
            [other, ..] => bail!("the simulated iPXE has no command `{other}` in this form"),
        }
        Ok(Flow::Next)
    }

    /// `${name}` by its value; nothing for one that is not set.
    fn expanded(&self, word: &str) -> String {
        let mut text = String::new();
        let mut rest = word;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else { break };
            text.push_str(before);
            text.push_str(self.settings.get(name).map_or("", String::as_str));
            rest = tail;
        }
        text + rest
    }
}

/// A text as `:uristring` has it: percent signs for all that could mean something in a URL.
pub fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn file_name(url: &str) -> &str {
    let path = url.split_once('?').map_or(url, |(path, _)| path);
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// A URL that may be a path on the server of the script that has it.
fn joined(base: &str, url: &str) -> Result<String> {
    Ok(reqwest::Url::parse(base)?.join(url)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails as often as it is told to, then succeeds.
    #[derive(Default)]
    struct Fake {
        scripts: Vec<&'static str>,
        failures: u32,
        fetched: Vec<String>,
        slept: Duration,
    }

    impl Loader for Fake {
        async fn script(&mut self, url: &str) -> Result<String> {
            self.fetched.push(url.to_owned());
            Ok(self.scripts.remove(0).to_owned())
        }
        async fn image(&mut self, url: &str, name: &str, arguments: &[String]) -> Result<()> {
            if self.failures > 0 {
                self.failures -= 1;
                bail!("no")
            }
            self.fetched.push(format!("{name}={url} {}", arguments.join(" ")));
            Ok(())
        }
        fn free(&mut self) {
            self.fetched.clear();
        }
        async fn sleep(&mut self, time: Duration) {
            self.slept += time;
        }
        fn say(&mut self, _: &str) {}
    }

    const BOOT: &str = "#!ipxe\nset base http://s/b\nset tries:int32 0\n:fetch\nimgfree\n\
        kernel ${base}/kernel initrd=i a=b || goto failed\ninitrd --name i ${base}/i.img || goto failed\n\
        boot || goto failed\n:failed\nsleep 2\ninc tries\niseq ${tries} 5 || goto fetch\n\
        :again\nchain --replace --autofree /again || sleep 10\ngoto again\n";

    const EFI: About<'_> = About { platform: "efi", serial: "8F 2A&" };

    #[tokio::test]
    async fn the_serial_number_is_filled_in_where_it_is_asked_for() {
        let wait = "#!ipxe\nchain /b?serial=${serial:uristring}\n";
        let mut fake = Fake { scripts: vec![wait, "#!ipxe\nexit\n"], ..Fake::default() };
        run("http://s/a?serial=${serial:uristring}", EFI, &mut fake).await.unwrap();
        assert_eq!(fake.fetched, ["http://s/a?serial=8F%202A%26", "http://s/b?serial=8F%202A%26"]);
    }

    async fn booted(fake: &mut Fake) -> End {
        run("http://s/boot/ipxe?mac=x", EFI, fake).await.unwrap()
    }

    #[tokio::test]
    async fn a_kernel_is_booted_after_some_failures() {
        let mut fake = Fake { scripts: vec![BOOT], failures: 3, ..Fake::default() };
        assert_eq!(booted(&mut fake).await, End::Boot { kernel: "kernel".into() });
        assert_eq!(fake.fetched, ["kernel=http://s/b/kernel initrd=i a=b", "i=http://s/b/i.img "]);
        assert_eq!(fake.slept, Duration::from_secs(6));
    }

    #[tokio::test]
    async fn after_too_many_failures_the_script_is_asked_for_again() {
        let mut fake = Fake { scripts: vec![BOOT, BOOT], failures: 5, ..Fake::default() };
        assert!(matches!(booted(&mut fake).await, End::Boot { .. }));
        assert_eq!(fake.slept, Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_disk_is_booted_in_the_way_of_the_platform() {
        let disk = "#!ipxe\niseq ${platform} efi && exit 1 ||\nsanboot --drive 0x80 || exit\n";
        let wait = "#!ipxe\n:again\nsleep 15\nchain --replace --autofree /b || goto again\n";
        let mut fake = Fake { scripts: vec![wait, disk], ..Fake::default() };
        assert_eq!(booted(&mut fake).await, End::Disk);
        assert_eq!(fake.fetched, ["http://s/boot/ipxe?mac=x", "http://s/b"]);
        let mut fake = Fake { scripts: vec![disk], ..Fake::default() };
        assert_eq!(
            run("http://s/x", About { platform: "pcbios", ..EFI }, &mut fake).await.unwrap(),
            End::Disk
        );
    }

    #[tokio::test]
    async fn what_is_no_script_or_no_command_is_an_error() {
        for text in
            ["<html>", "#!ipxe\nfrobnicate\n", "#!ipxe\ngoto nowhere\n", "#!ipxe\n:a\ngoto a\n", "#!ipxe\n"]
        {
            let mut fake = Fake { scripts: vec![text], ..Fake::default() };
            assert!(run("http://s/x", EFI, &mut fake).await.is_err(), "{text}");
        }
    }
}
