use super::*;

fn checked(text: &str) -> Result<Settings, Vec<String>> {
    let fragment = parse(text).map_err(|e| vec![e.to_string()])?;
    Settings::check(fragment).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn an_empty_file_is_a_good_configuration() {
    let settings = checked("").unwrap();
    assert_eq!(settings.http.to_string(), "0.0.0.0:8080");
    assert!(settings.dhcp_interfaces.is_empty());
}

#[test]
fn a_key_that_is_not_known_is_an_error_with_its_line() {
    let problems =
        checked("[dhcp]\ninterfaces = [\"eth1\"]\n\n[tftp]\nlsiten = \"0.0.0.0:69\"\n").unwrap_err();
    assert!(problems[0].contains("line 5") && problems[0].contains("lsiten"), "{problems:?}");
}

#[test]
fn all_problems_are_told_at_once() {
    let problems = checked(
        "[http]\nlisten = \"8080\"\n[server]\nadvertise = \"x\"\n[dhcp]\ninterfaces = [\"a b\", \"e\", \"e\"]\n[boot]\npatience = \"1s\"\n[https]\nkey = \"k\"\n",
    )
    .unwrap_err();
    let places: Vec<&str> = problems.iter().map(|p| p.split(':').next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "server.advertise",
            "http.listen",
            "boot.patience",
            "https.certificate",
            "dhcp.interfaces",
            "dhcp.interfaces"
        ]
    );
}

#[test]
fn a_ladder_has_steps_that_there_are_and_an_end() {
    let problems =
        checked("[ladder]\nsteps = [\"cycle\", \"hammer\"]\npause = \"0s\"\nat-once = 0\n").unwrap_err();
    let said = problems.join("\n");
    for part in ["`hammer`: a step is `restart`", "ladder.pause: at least 1s", "ladder.at-once: at least 1"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let many = format!("[ladder]\nsteps = [{}]\n", "\"cycle\",".repeat(21));
    assert!(checked(&many).unwrap_err()[0].contains("up to 20"));
    let none = checked("[ladder]\nenabled = false\nsteps = []\n").unwrap();
    assert!(!none.ladder.enabled && none.ladder.steps.is_empty());
    assert_eq!(checked("").unwrap().ladder.steps.len(), 6);
}

#[test]
fn a_database_url_that_is_none_is_not_repeated() {
    let problems = checked("[database]\nurl = \"mysql://root:hunter2@db\"").unwrap_err();
    assert!(!problems[0].contains("hunter2"), "{problems:?}");
    let settings = checked("[database]\nurl = \"postgres://u:hunter2@db/x\"").unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn boot_programs_are_not_kept_where_the_keys_are() {
    let problems =
        checked("[server]\ndata-dir = \"/srv/boot/data\"\n[ipxe]\ndir = \"/srv/boot\"").unwrap_err();
    assert!(problems[0].starts_with("ipxe.dir"), "{problems:?}");
    assert!(checked("[server]\ndata-dir = \"/srv/data\"\n[ipxe]\ndir = \"/srv/data/ipxe\"").is_ok());
}

#[test]
fn flags_win_over_the_file() {
    let overrides = Overrides { http_listen: Some("127.0.0.1:1".into()), ..Overrides::default() };
    let fragment = parse("[http]\nlisten = \"127.0.0.1:2\"").unwrap().overridden(&overrides);
    assert_eq!(Settings::check(fragment).unwrap().http.to_string(), "127.0.0.1:1");
}

#[test]
fn profiles_cannot_read_secrets_where_the_daemons_own_are() {
    for (folder, own) in [
        ("/srv/pilotlight", "[server]\ndata-dir = \"/srv/pilotlight/data\""),
        ("/srv/pilotlight/data/secrets", "[server]\ndata-dir = \"/srv/pilotlight/data\""),
        ("/etc/pilotlight", "[https]\ncertificate = \"/etc/x.pem\"\nkey = \"/etc/pilotlight/x.key\""),
        (
            "/etc/pilotlight",
            "[vault]\naddress = \"https://v\"\npaths = [\"kv/data/a\"]\ntoken-file = \"/etc/pilotlight/token\"",
        ),
        ("relative", ""),
        ("/", ""),
        ("/etc/../var", ""),
    ] {
        let problems = checked(&format!("[secrets]\nfiles = [\"{folder}\"]\n{own}")).unwrap_err();
        assert!(problems[0].starts_with("secrets.files: "), "{folder}: {problems:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pilotlight.toml");
    std::fs::write(&file, format!("[secrets]\nfiles = [{:?}]", folder.path())).unwrap();
    let problems = load(Some(&file), &Overrides::default()).unwrap_err();
    assert!(problems[0].to_string().contains("the daemon's own"), "it may hold a password: {problems:?}");
}

#[test]
fn a_vault_is_asked_over_tls_as_somebody_and_below_some_paths() {
    let vault = |rest: &str| checked(&format!("[vault]\n{rest}"));
    let good = "address = \"https://vault.example:8200/\"\npaths = [\"secret/data/pilotlight/*\"]\n";
    let settings = vault(&format!("{good}token = \"hunter2\"")).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    let access = settings.vault.unwrap();
    assert_eq!(access.address, "https://vault.example:8200");
    assert!(access.allows("secret/data/pilotlight/n1") && !access.allows("secret/data/other"));
    for (text, place) in [
        ("token = \"x\"", "vault.address"),
        ("address = \"http://vault.example:8200\"\npaths = [\"kv/data/a\"]\ntoken = \"x\"", "vault.address"),
        ("address = \"https://u:p@vault\"\npaths = [\"kv/data/a\"]\ntoken = \"x\"", "vault.address"),
        ("address = \"https://vault\"\ntoken = \"x\"", "vault.paths"),
        ("address = \"https://vault\"\npaths = [\"kv/a\"]\ntoken = \"x\"", "vault.paths"),
        ("address = \"https://vault\"\npaths = [\"kv/data/a\"]", "vault.token"),
        ("address = \"https://vault\"\npaths = [\"kv/data/a\"]\nrole-id = \"x\"", "vault.role-id"),
        (
            "address = \"https://vault\"\npaths = [\"kv/data/a\"]\ntoken = \"x\"\ntimeout = \"1m\"",
            "vault.timeout",
        ),
    ] {
        let problems = vault(text).unwrap_err();
        assert!(problems.iter().any(|problem| problem.starts_with(place)), "{text}: {problems:?}");
        assert!(!problems.concat().contains("u:p"), "{problems:?}");
    }
    let local =
        "address = \"http://127.0.0.1:8100\"\npaths = [\"kv/data/a\"]\ntoken-file = \"/run/vault/token\"";
    assert!(vault(local).is_ok(), "Vault Agent");
}
