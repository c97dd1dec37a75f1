//! What the table cannot say: paths, modes, URLs, hashes, and what excludes what. Disks and units have files of their own.
use super::{Report, place::Place, place::shown, url};
use crate::domain::diff::is_hidden;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Judges a config that has the right shape.
pub(super) fn check(config: &Value, minor: u8, report: &mut Report) {
    let config = Place::root(config);
    let mut rules = Rules { minor, report };
    let ignition = config.get("ignition");
    rules.ignition(&ignition);
    rules.passwd(&config.get("passwd"));
    let storage = config.get("storage");
    rules.nodes(&storage);
    rules.links(&storage);
    rules.disks(&storage);
    rules.systemd(&config.get("systemd"));
    rules.unit_files(&config);
}

/// The spec that is judged by, and what was found.
pub(super) struct Rules<'r> {
    pub(super) minor: u8,
    pub(super) report: &'r mut Report,
}

impl Rules<'_> {
    pub(super) fn error(&mut self, place: &Place<'_>, message: impl Into<String>) {
        self.report.error(&place.path, message);
    }

    pub(super) fn warning(&mut self, place: &Place<'_>, message: impl Into<String>) {
        self.report.warning(&place.path, message);
    }

    fn ignition(&mut self, ignition: &Place<'_>) {
        let config = ignition.get("config");
        for merge in config.get("merge").items() {
            self.resource(&merge);
            // In 3.0 an empty source was a reference to nothing, but taken.
            if self.minor >= 1 {
                self.required(&merge);
            }
        }
        self.resource(&config.get("replace"));
        for authority in ignition.get("security").get("tls").get("certificateAuthorities").items() {
            self.resource(&authority);
            self.required(&authority);
        }
        let proxy = ignition.get("proxy");
        for name in ["httpProxy", "httpsProxy"] {
            let place = proxy.get(name);
            let Some(text) = place.text() else { continue };
            match url::parse(text).map(|url| url.scheme) {
                Err(why) => self.error(&place, why),
                Ok(scheme) if scheme != "http" && scheme != "https" => {
                    self.error(&place, "a proxy is given by an http or https URL");
                }
                Ok(scheme) if scheme == "http" && name == "httpsProxy" => {
                    self.warning(&place, "what goes to this proxy for https resources is not encrypted");
                }
                Ok(_) => {}
            }
        }
    }

    fn required(&mut self, resource: &Place<'_>) {
        if resource.get("source").filled().is_none() {
            self.error(&resource.get("source"), "`source` is missing");
        }
    }

    /// Judges something to fetch.
    pub(super) fn resource(&mut self, resource: &Place<'_>) {
        let source = resource.get("source");
        if let Some(text) = source.filled()
            && let Err(why) = url::check_source(text, self.minor)
        {
            self.error(&source, why);
        }
        let compression = resource.get("compression");
        if !matches!(compression.text(), None | Some("" | "gzip")) {
            self.error(&compression, "the only compression is `gzip`");
        }
        let hash = resource.get("verification").get("hash");
        if let Some(text) = hash.text() {
            if !source.is_set() {
                self.error(&hash, "there is a hash to verify, but no `source`");
            }
            self.hash(&hash, text);
        }
        self.headers(resource, &source);
    }

    fn hash(&mut self, place: &Place<'_>, text: &str) {
        let Some((function, sum)) = text.split_once('-') else {
            return self.error(place, "a hash is written like `sha512-…`");
        };
        let digits = match function {
            "sha512" => 128,
            "sha256" if self.minor >= 1 => 64,
            "sha256" => return self.error(place, "`sha256` came with Ignition spec 3.1.0, use `sha512`"),
            _ => {
                return self.error(
                    place,
                    format!("`{}` is no hash that Ignition knows, use `sha512`", shown(function)),
                );
            }
        };
        if sum.len() != digits {
            self.error(
                place,
                format!("a {function} sum has {digits} hexadecimal digits, this one {}", sum.len()),
            );
        } else if !sum.bytes().all(|b| b.is_ascii_hexdigit()) {
            self.warning(
                place,
                format!(
                    "this is no {function} sum, nothing will match it: it has other than hexadecimal digits"
                ),
            );
        }
    }

    fn headers(&mut self, resource: &Place<'_>, source: &Place<'_>) {
        let headers = resource.get("httpHeaders");
        let items = headers.items();
        if items.is_empty() {
            return;
        }
        match url::parse(source.text().unwrap_or_default()).map(|url| url.scheme) {
            _ if source.filled().is_none() => self.error(&headers, "there are HTTP headers, but no `source`"),
            Ok(scheme) if scheme == "http" || scheme == "https" => {}
            Ok(_) => self.error(&headers, "only http and https have headers"),
            Err(_) => {}
        }
        for header in items {
            let name = header.get("name");
            match name.filled() {
                None => self.error(&name, "a header without a name"),
                Some(text) if !text.bytes().all(|b| b.is_ascii_graphic() && b != b':') => {
                    self.warning(&name, format!("`{}` is no HTTP header", shown(text)));
                }
                Some(_) => {}
            }
        }
    }

    fn passwd(&mut self, passwd: &Place<'_>) {
        for (list, what) in [("users", "user"), ("groups", "group")] {
            for entry in passwd.get(list).items() {
                let name = entry.get("name");
                let bad = |c: char| {
                    c.is_control() || c.is_whitespace() || is_hidden(c) || matches!(c, ':' | '/' | ',')
                };
                match name.filled() {
                    None => self.warning(&entry, format!("a {what} without a name cannot be made")),
                    Some(text) if text.starts_with('-') || text.contains(bad) => {
                        self.warning(&name, format!("`{}` is no {what} name that Linux takes", shown(text)));
                    }
                    Some(_) => {}
                }
            }
        }
    }

    /// Files, directories and links: what they have in common, and what files and directories are.
    fn nodes(&mut self, storage: &Place<'_>) {
        for list in ["directories", "files", "links"] {
            for node in storage.get(list).items() {
                self.path(&node.get("path"), "`path` is missing");
                for owner in ["user", "group"] {
                    let owner = node.get(owner);
                    if owner.get("id").is_set() && owner.get("name").filled().is_some() {
                        self.error(&owner, "only one of `id` and `name` can be given");
                    }
                }
                self.mode(&node.get("mode"), list == "directories");
                if list == "files" {
                    self.file(&node);
                }
            }
        }
    }

    fn file(&mut self, file: &Place<'_>) {
        let contents = file.get("contents");
        self.resource(&contents);
        for part in file.get("append").items() {
            self.resource(&part);
        }
        if file.get("overwrite").is(true) && !contents.get("source").is_set() {
            self.error(&file.get("overwrite"), "there are no contents to overwrite the file with");
        }
    }

    fn mode(&mut self, place: &Place<'_>, directory: bool) {
        let Some(mode) = place.number() else { return };
        if !(0..=0o7777).contains(&mode) {
            let octal = if mode > 0 { format!(" (octal {mode:o})") } else { String::new() };
            self.error(place, format!("{mode}{octal} is no mode: it is between 0 and 4095 (octal 7777)"));
        } else if let Some(meant) = meant_in_octal(mode, directory) {
            let message = format!(
                "{mode} is octal {mode:04o}, which is odd: was octal {mode:04} meant (0{mode} in Butane, {meant} in JSON)?"
            );
            self.warning(place, message);
        } else if self.minor < 6 && mode & 0o7000 != 0 {
            // 3.4 and 3.5 meant to, and got it wrong: Ignition 2.22 and later say so.
            self.warning(place, "before Ignition spec 3.6.0 the setuid, setgid and sticky bits are not set");
        }
    }

    /// Judges a path that must be there.
    pub(super) fn path(&mut self, place: &Place<'_>, missing: &str) {
        match place.text().unwrap_or_default() {
            "" => self.error(place, missing),
            text if !text.starts_with('/') => self.error(place, format!("`{}` is not absolute", shown(text))),
            text if clean(text) != text => {
                self.error(
                    place,
                    format!("`{}` is to be written simply: `{}`", shown(text), shown(&clean(text))),
                );
            }
            text => {
                if let Some(c) = text.chars().find(|c| c.is_control() || is_hidden(*c)) {
                    let message = format!("the path holds {}, which nobody sees", c.escape_unicode());
                    self.warning(place, message);
                }
            }
        }
    }

    fn links(&mut self, storage: &Place<'_>) {
        let links = storage.get("links").items();
        let paths: HashSet<&str> = links.iter().filter_map(|link| link.get("path").text()).collect();
        let directories: HashSet<&str> =
            storage.get("directories").items().iter().filter_map(|node| node.get("path").text()).collect();
        for list in ["directories", "files", "links"] {
            for node in storage.get(list).items() {
                let path = node.get("path");
                let text = path.text().unwrap_or_default();
                let mut above = text.match_indices('/').filter_map(|(at, _)| text.get(..at));
                if let Some(link) = above.find(|path| paths.contains(path)) {
                    self.error(
                        &path,
                        format!(
                            "`{}` leads through `{}`, which is a link in this config",
                            shown(text),
                            shown(link)
                        ),
                    );
                }
            }
        }
        for link in links {
            let target = link.get("target");
            if target.filled().is_none() && self.minor >= 3 {
                self.error(&target, "`target` is missing");
                continue;
            }
            if link.get("hard").is(true) {
                self.hard_link(&directories, &link, target.text().unwrap_or_default());
            }
        }
    }

    fn hard_link(&mut self, directories: &HashSet<&str>, link: &Place<'_>, target: &str) {
        let absolute = match target.strip_prefix('/') {
            Some(_) => clean(target),
            None => clean(&format!("{}/{target}", link.get("path").text().unwrap_or_default())),
        };
        if directories.contains(absolute.as_str()) {
            self.error(
                link,
                format!("a hard link cannot point to a directory, and `{}` is one", shown(&absolute)),
            );
        }
        for owner in ["user", "group"] {
            for name in ["id", "name"] {
                let place = link.get(owner).get(name);
                if place.is_set() {
                    self.warning(&place, "a hard link has the owner of what it points to: this is ignored");
                }
            }
        }
    }

    /// A file where `systemd` writes a unit: the later of the two would win.
    fn unit_files(&mut self, config: &Place<'_>) {
        let mut units: HashMap<String, String> = HashMap::new();
        for unit in config.get("systemd").get("units").items() {
            let name = format!("/etc/systemd/system/{}", unit.get("name").text().unwrap_or_default());
            if unit.get("contents").filled().is_some() {
                units.insert(name.clone(), unit.path.clone());
            }
            for dropin in
                unit.get("dropins").items().iter().filter(|dropin| dropin.get("contents").filled().is_some())
            {
                let dropin_name = dropin.get("name").text().unwrap_or_default();
                units.insert(format!("{name}.d/{dropin_name}"), dropin.path.clone());
            }
        }
        for list in ["directories", "files", "links"] {
            for node in config.get("storage").get(list).items() {
                let path = node.get("path");
                let Some(unit) = path.text().and_then(|text| units.get(text)) else { continue };
                let message = format!("{unit} is written to the same place");
                if self.minor >= 4 { self.error(&path, message) } else { self.warning(&path, message) }
            }
        }
    }
}

/// A path without `.`, `..`, double and last slashes.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// What a mode would be had its decimal digits been octal ones, if that makes sense and the mode itself does not.
pub(in crate::domain) fn meant_in_octal(mode: i64, directory: bool) -> Option<i64> {
    let meant = i64::from_str_radix(&mode.to_string(), 8).ok().filter(|_| (0..=7777).contains(&mode))?;
    (!is_usual_mode(mode, directory) && is_usual_mode(meant, directory)).then_some(meant)
}

/// Whether someone may want such permissions: whoever is closer to the file may do what those further away may.
fn is_usual_mode(mode: i64, directory: bool) -> bool {
    if mode == 0 {
        return true;
    }
    let (mut read, mut write, mut execute) = (false, false, false);
    for shift in [0, 3, 6] {
        let bits = mode >> shift;
        let (r, w, x) = (bits & 4 != 0, bits & 2 != 0, bits & 1 != 0);
        if (read && !r) || (write && !w) || (execute && !x) || (x && read && !execute) || ((w || x) && !r) {
            return false;
        }
        (read, write, execute) = (read || r, write || w, execute || x);
    }
    let special = mode & 0o7000;
    read && if directory {
        execute && special & 0o4000 == 0 && (special == 0 || write)
    } else {
        special & 0o1000 == 0 && (special == 0 || (execute && mode & 2 == 0))
    }
}
