//! A PostgreSQL server for the tests of this program: started by the first that needs it, gone when the program is. Where it cannot
//! be had, those tests fail.
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// Where Debian and the PostgreSQL project's own packages put the programs.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// Starts a server in the directory `$1`, says so, and stops it when nobody holds the other end of its input any more.
const KEEPER: &str = r#"
cd "$1" || exit 1
"$0/initdb" --no-sync -A trust -U pilotlight -E UTF8 --locale=C -D data >log 2>&1 &&
"$0/pg_ctl" -w -D data -l server.log -o "-c listen_addresses= -c unix_socket_directories='$1' -c fsync=off -c max_connections=300" start >>log 2>&1 </dev/null ||
    { cat log server.log; exit 1; }
echo ready
cat >/dev/null
"$0/pg_ctl" -D data -m immediate stop >>log 2>&1
rm -rf "$1"
"#;

struct Server {
    socket: PathBuf,
    // Its input is what keeps the server alive.
    _keeper: Child,
}

/// The URL of a database that nobody has used yet.
pub async fn fresh_database() -> String {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(start);
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::SeqCst));
    let url = |name: &str| format!("postgres://pilotlight@localhost/{name}?host={}", server.socket.display());
    let pool =
        sqlx::PgPool::connect(&url("postgres")).await.expect("the test's PostgreSQL takes connections");
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&pool)
        .await
        .expect("a new database");
    pool.close().await;
    url(&name)
}

fn start() -> Server {
    assert!(
        Path::new(PROGRAMS).join("initdb").exists(),
        "there is no PostgreSQL 15 in {PROGRAMS}: install the package postgresql-15"
    );
    let socket = tempfile::Builder::new().prefix("pilotlight-pg-").tempdir().expect("a directory").keep();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o755)).expect("permissions");
    let mut command = Command::new("sh");
    if nix::unistd::geteuid().is_root() {
        // It does not run as root.
        let user = nix::unistd::User::from_name("nobody").ok().flatten().expect("the user `nobody`");
        chown(&socket, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("a directory for `nobody`");
        command = Command::new("setpriv");
        command.args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid)]);
        command.args(["--clear-groups", "sh"]);
    }
    command.args(["-c", KEEPER, PROGRAMS]).arg(&socket).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut keeper = command.spawn().expect("sh or setpriv");
    let mut output = BufReader::new(keeper.stdout.take().expect("its output"));
    let mut first = String::new();
    output.read_line(&mut first).expect("its first line");
    if first != "ready\n" {
        let mut rest = String::new();
        output.read_to_string(&mut rest).expect("its output");
        panic!("PostgreSQL did not start:\n{first}{rest}");
    }
    Server { socket, _keeper: keeper }
}
