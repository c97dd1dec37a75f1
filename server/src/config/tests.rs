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
