//! The agent as a host runs it: the real program, real TLS, real signals.
mod server;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use server::{Answer, Seen, Server};
use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader, Read},
    os::unix::{fs::PermissionsExt, net::UnixDatagram, process::ExitStatusExt},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const BOOT: &str = "0199f0f0-0000-7000-8000-000000000001";
const TOKEN: &str = "one-time-t0ken";
const PATIENCE: Duration = Duration::from_secs(30);

fn agent() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilotlight-agent"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running agent and the lines that it logs; killed when dropped.
struct Agent {
    child: Child,
    lines: Receiver<String>,
    notices: UnixDatagram,
    _dir: TempDir,
}

impl Agent {
    fn start(server: &str, ca: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config_file(&dir, server, ca);
        let notify = dir.path().join("notify");
        let notices = UnixDatagram::bind(&notify).unwrap();
        notices.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut child = agent()
            .args(["run", "--config"])
            .arg(config)
            .env("NOTIFY_SOCKET", &notify)
            // A proxy would see the token.
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = mpsc::channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines, notices, _dir: dir }
    }

    fn wait_for(&self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line with `{part}`"));
            assert!(!line.contains(TOKEN), "{line}");
            if line.contains(part) {
                return line;
            }
        }
    }

    fn stop(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), None);
        (status.code(), start.elapsed())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config_file(dir: &TempDir, server: &str, ca: &str) -> PathBuf {
    let config = json!({"server": server, "ca": ca, "machine": "n1", "boot": BOOT, "token": TOKEN, "boot_mac": null,
                        "heartbeat_seconds": 1});
    let path = dir.path().join("agent.json");
    fs::write(&path, config.to_string()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

fn body(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.body).unwrap()
}

#[test]
fn a_host_reports_over_tls_from_its_start_to_its_heartbeats() {
    let server = Server::start(|n| match n {
        // A server that is starting up, and one that is short of time, are asked again.
        0 => Answer::new(503, "").with("retry-after", "1"),
        2 => Answer::new(429, ""),
        _ => Answer::new(200, r#"{"heartbeat_seconds": 1}"#),
    });
    let mut agent = Agent::start(&server.url, &server.ca);
    let paths = ["progress", "progress", "facts", "facts", "heartbeat"];
    let seen: Vec<Seen> = paths.iter().map(|_| server.seen.recv_timeout(PATIENCE).unwrap()).collect();
    for (seen, path) in seen.iter().zip(paths) {
        assert_eq!(seen.line, format!("POST /agent/v1/boots/{BOOT}/{path} HTTP/1.1"));
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        assert_eq!(seen.header("content-type"), Some("application/json"));
    }
    assert_eq!(body(&seen[1]), json!({"step": "started"}));
    let facts: pilotlight_types::facts::Facts = serde_json::from_slice(&seen[3].body).unwrap();
    facts.check().unwrap();
    assert!(facts.cpus.threads > 0);
    assert!(body(&seen[4])["uptime_seconds"].as_u64().unwrap() > 0);

    let mut notice = [0; 500];
    let length = agent.notices.recv(&mut notice).unwrap();
    assert!(notice[..length].starts_with(b"STATUS="), "the first attempt fails");
    let length = agent.notices.recv(&mut notice).unwrap();
    assert!(notice[..length].starts_with(b"READY=1"));

    let line = agent.wait_for("did not take the start");
    assert!(
        line.starts_with("<4>") && line.contains("status 503") && line.contains("asking again"),
        "{line}"
    );
    agent.wait_for("took the facts");
    let (code, time) = agent.stop();
    assert_eq!(code, Some(0));
    assert!(time < Duration::from_secs(5), "{time:?}");
}

#[test]
fn a_server_with_another_ca_gets_nothing() {
    let server = Server::start(|_| Answer::new(200, "{}"));
    let other = Server::start(|_| Answer::new(200, "{}"));
    let mut agent = Agent::start(&server.url, &other.ca);
    let line = agent.wait_for("did not take the start");
    assert!(line.contains("certificate"), "{line}");
    assert!(server.seen.try_recv().is_err());
    assert_eq!(agent.stop().0, Some(0));
}

#[test]
fn a_refusal_is_logged_with_the_servers_words_and_does_not_end_the_agent() {
    let problem = r#"{"code": "boot-ended", "detail": "another boot\nof n1 has begun"}"#;
    let server =
        Server::start(|_| Answer::new(410, problem).with("content-type", "application/problem+json"));
    let mut agent = Agent::start(&server.url, &server.ca);
    let line = agent.wait_for("did not take the start");
    assert!(line.contains("status 410 boot-ended: another boot of n1 has begun; asking again in "), "{line}");
    assert_eq!(agent.child.try_wait().unwrap(), None);
    assert_eq!(agent.stop().0, Some(0));
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Server::start(|_| Answer::new(200, "{}"));
    let location = other.url.clone();
    let server = Server::start(move |_| Answer::new(307, "").with("location", &location));
    let agent = Agent::start(&server.url, &server.ca);
    assert!(agent.wait_for("did not take the start").contains("status 307"));
    assert!(other.seen.try_recv().is_err());
}

#[test]
fn sigterm_ends_it_at_once_even_while_a_server_keeps_it_waiting() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(|_| Answer::new(200, "{}"));
    let mut agent = Agent::start(&format!("https://{}", silent.local_addr().unwrap()), &server.ca);
    agent.wait_for("reports boot");
    // It is in the middle of a TLS handshake that nobody answers.
    let _connection = silent.accept().unwrap();
    let (code, time) = agent.stop();
    assert_eq!(code, Some(0));
    assert!(time < Duration::from_secs(5), "{time:?}");
}

fn output(arguments: &[&str]) -> Output {
    agent().args(arguments).output().unwrap()
}

#[test]
fn a_configuration_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = config_file(&dir, "https://127.0.0.1:1", "");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let output = output(&["run", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.starts_with("<3>") && log.contains("has mode 0644") && !log.contains(TOKEN), "{log}");
}

#[test]
fn facts_are_printed_anywhere() {
    let output = output(&["facts"]);
    assert_eq!(output.status.code(), Some(0));
    let facts: pilotlight_types::facts::Facts = serde_json::from_slice(&output.stdout).unwrap();
    facts.check().unwrap();
    assert!(facts.memory.usable_bytes.unwrap() > 0);
    let dir = tempfile::tempdir().unwrap();
    let output = agent().args(["facts", "--root"]).arg(dir.path()).output().unwrap();
    let facts: pilotlight_types::facts::Facts = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts.cpus.threads, 0);
}

#[test]
fn the_command_line_explains_itself() {
    let help = String::from_utf8(output(&["--help"]).stdout).unwrap();
    assert!(help.contains(pilotlight_types::agent::CONFIG_PATH));
    assert!(output(&["--version"]).stdout.starts_with(b"pilotlight-agent 0."));
    for (arguments, part) in [
        (&[][..], "a command is missing"),
        (&["frob"], "there is no command `frob`"),
        (&["run", "--root", "/"], "`run` takes no --root"),
        (&["facts", "--config", "/x"], "`facts` takes no --config"),
        (&["run", "now"], "now"),
    ] {
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(64));
        let mut text = String::new();
        output.stderr.as_slice().read_to_string(&mut text).unwrap();
        assert!(text.contains(part), "{text}");
    }
}
